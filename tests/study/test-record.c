/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a study. */
#include "study/record.h"
#include "support.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static const RmilRecordStudy threshold = {.kind = "threshold",
                                          .title = "Of T",
                                          .plan = "study: threshold\n",
                                          .cohort = "/a/cohort.csv",
                                          .fingerprint = "f",
                                          .reference = "rank",
                                          .variable = "threshold"};

static const RmilStudyRun planned[] = {
    {.key = "k0", .method = "rank", .value = 0, .split = "", .seed = 3},
    {.key = "k1", .method = "rank", .value = 0.1, .split = "", .seed = 3},
    {.key = "k2", .method = "abmil", .value = NAN, .split = "split_7", .seed = 7},
};

static RmilRecord *begin(const char *path, const RmilRecordStudy *study) {
    GError *error = NULL;
    RmilRecord *record = rmil_record_open(path, study, planned, G_N_ELEMENTS(planned), &error);
    g_assert_no_error(error);
    return record;
}

static RmilPredictionRow prediction(const char *slide, RmilSplit part, int label, double probability, double logit) {
    return (
        RmilPredictionRow){.slide = slide, .part = part, .target = RMIL_TARGET_CLASS(label), .probability = probability, .logit = logit};
}

/* A run with numbers that need all 17 digits. */
static void add(RmilRecord *record, int which) {
    const RmilEpoch epochs[] = {{1, 0.1 + which, 1.0 / 3, 0, 0.7, NAN, TRUE}, {2, 0.05, 1.0 / 7, 1e-300, 0.8, 1, FALSE}};
    const RmilPredictionRow predictions[] = {prediction("z", RMIL_SPLIT_TEST, 1, 0.1 + 0.2, -1.5),
                                             prediction("a", RMIL_SPLIT_VAL, 0, 1e-17, 4.0 / 3)};
    const RmilLocalisationRow places[] = {{"z", 1, 0.25, 0.4, 1}, {"z", 100, 0.5, 2.0 / 3, 0}};
    const RmilAttentionRow attention[] = {{"z", 12.5, NAN, 1}};
    const RmilPatchRow patches[] = {{"z", 1.0 / 3, NAN}};
    const RmilLesionRow lesions[] = {{"z", 1, 7, -0.1, 1.0 / 7, 3}, {"z", 2, 1, NAN, NAN, 3}};
    RmilRecordRun run = {.run = planned[which]};
    run.run.epochs = 2;
    run.run.best_epoch = 1;
    run.run.seconds = 1.25;
    run.run.threads = 1;
    run.run.version = rmil_version();
    run.run.config = "{}";
    run.run.model = "models/x.safetensors";
    run.run.sha256 = "12ab";
    run.rows[RMIL_ROWS_EPOCH] = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof *epochs), epochs, 2);
    run.rows[RMIL_ROWS_PREDICTION] = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof *predictions), predictions, 2);
    run.rows[RMIL_ROWS_LOCALISATION] = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof *places), places, 2);
    run.rows[RMIL_ROWS_ATTENTION] = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof *attention), attention, 1);
    run.rows[RMIL_ROWS_PATCHES] = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof *patches), patches, 1);
    run.rows[RMIL_ROWS_LESION] = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof *lesions), lesions, 2);
    GError *error = NULL;
    g_assert_true(rmil_record_add(record, &run, &error));
    g_assert_no_error(error);
    for (int kind = 0; kind < RMIL_ROWS_COUNT; kind++) g_clear_pointer(&run.rows[kind], g_array_unref);
}

static void test_round_trip(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "study.sqlite", NULL);
    GError *error = NULL;
    g_assert_false(rmil_study_exists(folder));
    g_autoptr(RmilRecord) record = begin(path, &threshold);
    add(record, 1);
    g_assert_true(rmil_study_exists(folder));
    g_autoptr(RmilStudy) study = rmil_study_open(folder, &error); /* while the other side is open */
    g_assert_no_error(error);
    g_assert_cmpstr(rmil_study_value(study, "title"), ==, "Of T");
    g_assert_cmpstr(rmil_study_value(study, "nonsense"), ==, "");
    g_assert_cmpint(rmil_study_count(study), ==, 3);
    g_assert_cmpint(rmil_study_done(study), ==, 1);
    const RmilStudyRun *run = rmil_study_run(study, 1);
    g_assert_true(run->done && !rmil_study_run(study, 0)->done);
    g_assert_cmpfloat(run->value, ==, 0.1);
    g_assert_cmpint(run->seed, ==, 3);
    g_assert_true(isnan(rmil_study_run(study, 2)->value));
    g_assert_cmpstr(rmil_study_run(study, 2)->split, ==, "split_7");
    g_assert_true(g_str_has_suffix(run->model, "/models/x.safetensors") && g_str_has_prefix(run->model, folder));
    g_autoptr(GArray) epochs = rmil_study_epochs(study, 1, &error), predictions = rmil_study_predictions(study, 1, &error);
    g_autoptr(GArray) places = rmil_study_localisation(study, 1, &error), attention = rmil_study_attention(study, 1, &error);
    g_assert_no_error(error);
    const RmilEpoch *epoch = &g_array_index(epochs, RmilEpoch, 0);
    g_assert_cmpfloat(epoch->train_slide_loss, ==, 1.0 / 3);
    g_assert_true(isnan(epoch->val_metric) && epoch->best && !epoch[1].best);
    g_assert_cmpfloat(epoch[1].train_guide_loss, ==, 1e-300);
    const RmilPredictionRow *prediction = &g_array_index(predictions, RmilPredictionRow, 0);
    g_assert_cmpint(predictions->len, ==, 2);
    g_assert_cmpstr(prediction->slide, ==, "z"); /* the order in which they were recorded */
    g_assert_cmpfloat(prediction->probability, ==, 0.1 + 0.2);
    g_assert_cmpint(prediction[1].part, ==, RMIL_SPLIT_VAL);
    g_assert_cmpfloat(g_array_index(places, RmilLocalisationRow, 1).dice, ==, 2.0 / 3);
    g_assert_true(isnan(g_array_index(attention, RmilAttentionRow, 0).elsewhere));
    g_autoptr(GArray) patches = rmil_study_patches(study, 1, &error), lesions = rmil_study_lesions(study, 1, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(g_array_index(patches, RmilPatchRow, 0).auroc, ==, 1.0 / 3);
    g_assert_true(isnan(g_array_index(patches, RmilPatchRow, 0).average_precision));
    const RmilLesionRow *lesion = &g_array_index(lesions, RmilLesionRow, 0);
    g_assert_cmpint(lesions->len, ==, 2);
    g_assert_true(lesion->tiles == 7 && lesion->negatives == 3 && lesion->false_positives == 1.0 / 7 && lesion->score == -0.1);
    g_assert_true(isnan(lesion[1].score) && lesion[1].lesion == 2);
    g_assert_null(rmil_study_epochs(study, 0, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "not done");
}

/* A record of before there was the table `varied`: its one number is what varied. */
static void test_earlier(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "study.sqlite", NULL);
    GError *error = NULL;
    RmilRecord *record = begin(path, &threshold);
    add(record, 0);
    rmil_record_free(record);
    sqlite3 *db = NULL;
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    g_assert_true(rmil_sql_run(db, path,
                               "DROP TABLE varied; DROP TABLE model; DROP TABLE output; DROP TABLE patient; DROP TABLE patches;"
                               " DROP TABLE lesion",
                               NULL));
    sqlite3_close(db);
    g_autoptr(RmilStudy) study = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    const RmilStudyRun *run = rmil_study_run(study, 1);
    g_autofree char *title = rmil_study_run_title(run);
    g_assert_cmpstr(title, ==, "rank, threshold 0.1, seed 3");
    g_assert_cmpfloat(run->varied[0].number, ==, 0.1);
    g_assert_null(run->varied[1].name);
    g_assert_null(rmil_study_run(study, 2)->varied[0].name);
    g_autoptr(GArray) patches = rmil_study_patches(study, 0, &error), lesions = rmil_study_lesions(study, 0, &error),
                      places = rmil_study_localisation(study, 0, &error);
    g_assert_no_error(error);
    g_assert_true(patches->len == 0 && lesions->len == 0 && places->len == 2);
}

static void test_all_or_nothing(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "study.sqlite", NULL);
    g_autoptr(RmilRecord) record = begin(path, &threshold);
    const RmilPredictionRow twice[] = {prediction("a", RMIL_SPLIT_TEST, 1, 0.5, 0), prediction("a", RMIL_SPLIT_TEST, 1, 0.5, 0)};
    g_autoptr(GArray) none = g_array_new(FALSE, FALSE, 1), predictions = g_array_new(FALSE, FALSE, sizeof *twice);
    g_array_append_vals(predictions, twice, 2);
    RmilRecordRun run = {planned[0], {[RMIL_ROWS_EPOCH] = none, [RMIL_ROWS_PREDICTION] = predictions}};
    run.run.version = run.run.config = run.run.model = "";
    GError *error = NULL;
    g_assert_false(rmil_record_add(record, &run, &error));
    test_error(&error, RMIL_ERROR_IO, path);
    g_autoptr(RmilStudy) before = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_study_done(before), ==, 0);
    add(record, 0); /* and it can go on */
    g_autoptr(RmilStudy) after = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_study_done(after), ==, 1);
}

static void test_again(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "study.sqlite", NULL);
    GError *error = NULL;
    RmilRecord *record = begin(path, &threshold);
    add(record, 2);
    add(record, 0);
    rmil_record_free(record);
    /* a plan with one run fewer: the others are kept */
    RmilRecordStudy shorter = threshold;
    shorter.plan = "study: threshold # shorter\n";
    record = rmil_record_open(path, &shorter, planned + 1, 2, &error);
    g_assert_no_error(error);
    rmil_record_free(record);
    g_autoptr(RmilStudy) study = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_study_count(study), ==, 2);
    g_assert_cmpint(rmil_study_done(study), ==, 1);
    g_assert_true(rmil_study_run(study, 1)->done);
    RmilRecordStudy other = threshold;
    other.fingerprint = "g";
    g_assert_null(rmil_record_open(path, &other, planned, 3, &error));
    test_error(&error, RMIL_ERROR_DATA, "another cohort");
    g_assert_true(rmil_study_accepts(folder, "threshold", &error));
    g_assert_no_error(error);
    g_assert_false(rmil_study_accepts(folder, "comparison", &error));
    test_error(&error, RMIL_ERROR_DATA, "another kind of study (threshold, not comparison)");
}

/* Slides that could not be read when the study began and are back: it goes on with them, and what it had stays; slides that are gone, and
 * other data without a word of slides: refused. */
static void test_returned(void) {
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "study.sqlite", NULL), *returned = NULL;
    GError *error = NULL;
    RmilRecordStudy study = threshold;
    study.left_out = "b\nc";
    study.returned = &returned;
    RmilRecord *record = begin(path, &study);
    add(record, 0);
    rmil_record_free(record);
    study.fingerprint = "with b";
    study.left_out = "c";
    record = rmil_record_open(path, &study, planned + 1, 2, &error); /* another plan: keys hold the data */
    g_assert_no_error(error);
    g_assert_cmpstr(returned, ==, "b");
    rmil_record_free(record);
    g_clear_pointer(&returned, g_free);
    study.fingerprint = "without d";
    study.left_out = "c\nd";
    g_assert_null(rmil_record_open(path, &study, planned, 3, &error));
    test_error(&error, RMIL_ERROR_DATA, "contains runs on slides that cannot be read now (d)");
    study.left_out = "c";
    g_assert_null(rmil_record_open(path, &study, planned, 3, &error));
    test_error(&error, RMIL_ERROR_DATA, "another cohort");
    study.fingerprint = "all";
    study.left_out = "";
    study.cohort = "/elsewhere/cohort.csv";
    g_assert_null(rmil_record_open(path, &study, planned, 3, &error));
    test_error(&error, RMIL_ERROR_DATA, "another cohort");
    g_assert_null(returned);
}

static void test_shards(void) {
    g_autofree char *folder = test_folder(), *shards = g_build_filename(folder, "shards", NULL);
    g_autofree char *one = g_build_filename(shards, "1-of-2.sqlite", NULL), *two = g_build_filename(shards, "2-of-2.sqlite", NULL);
    GError *error = NULL;
    g_assert_cmpint(g_mkdir(shards, 0777), ==, 0);
    RmilRecord *a = begin(one, &threshold), *b = begin(two, &threshold);
    add(a, 0);
    add(a, 2);
    add(b, 1);
    add(b, 2); /* in both: counted once */
    RmilStudy *study = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_study_done(study), ==, 3);
    g_autoptr(GArray) epochs = rmil_study_epochs(study, 1, &error);
    g_assert_cmpfloat(g_array_index(epochs, RmilEpoch, 0).train_loss, ==, 1.1);
    rmil_study_free(study);
    rmil_record_free(b);
    RmilRecordStudy other = threshold;
    other.plan = "study: threshold\nseeds: 4\n";
    b = begin(two, &other);
    g_assert_null(rmil_study_open(folder, &error));
    test_error(&error, RMIL_ERROR_DATA, "2-of-2.sqlite: has a different plan");
    rmil_record_free(b);
    g_assert_cmpint(g_unlink(two), ==, 0);
    other = threshold;
    other.fingerprint = "g";
    b = begin(two, &other);
    g_assert_null(rmil_study_open(folder, &error));
    test_error(&error, RMIL_ERROR_DATA, "2-of-2.sqlite: has a different cohort");
    rmil_record_free(b);
    rmil_record_free(a);
}

static void test_broken(void) {
    g_autofree char *folder = test_folder(), *path = test_file(folder, "study.sqlite", "this is a text, which is no data base of any kind");
    GError *error = NULL;
    g_assert_null(rmil_study_open(folder, &error));
    test_error(&error, RMIL_ERROR_FORMAT, path);
    g_assert_null(rmil_record_open(path, &threshold, planned, 3, &error));
    test_error(&error, RMIL_ERROR_FORMAT, path);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_null(rmil_study_open(folder, &error));
    test_error(&error, RMIL_ERROR_IO, "is not the folder of a study");
    rmil_record_free(begin(path, &threshold));
    sqlite3 *db = NULL;
    g_assert_cmpint(sqlite3_open(path, &db), ==, SQLITE_OK);
    g_assert_true(rmil_sql_run(db, path, "PRAGMA user_version = 99", NULL));
    sqlite3_close(db);
    g_assert_null(rmil_study_open(folder, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "format 99");
    g_assert_null(rmil_record_open(path, &threshold, planned, 3, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "format 99");
    /* the first half of a record */
    g_assert_cmpint(g_unlink(path), ==, 0);
    rmil_record_free(begin(path, &threshold));
    gsize size;
    g_autofree char *bytes = rmil_file_read(path, 1 << 20, &size, NULL);
    g_assert_true(rmil_file_write(path, bytes, size / 2, NULL));
    g_assert_null(rmil_study_open(folder, &error));
    test_error(&error, RMIL_ERROR_FORMAT, path);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/record/round-trip", test_round_trip);
    g_test_add_func("/record/earlier", test_earlier);
    g_test_add_func("/record/all-or-nothing", test_all_or_nothing);
    g_test_add_func("/record/again", test_again);
    g_test_add_func("/record/returned", test_returned);
    g_test_add_func("/record/shards", test_shards);
    g_test_add_func("/record/broken", test_broken);
    return g_test_run();
}
