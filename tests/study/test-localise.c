/* SPDX-License-Identifier: Apache-2.0 */
/* What a training leaves of patches and lesions, against the definitions. */
#include "studies.h"

#include "rankmil/synth.h"

#include <math.h>
#include <string.h>

typedef struct {
    RmilCohort *cohort;
    RmilTrainData *data;
    RmilModel *model;
    RmilSplit *splits;
    GArray *patches, *lesions; /* as recorded */
} Trained;

static void train(Trained *t, const char *cohort, const char *method) {
    GError *error = NULL;
    RmilTrainOptions options;
    rmil_train_options_init(&options);
    g_autofree char *path = g_build_filename(cohort, "cohort.csv", NULL), *folder = test_folder(),
                    *text = g_strdup_printf("study: comparison\nmethods: [%s]\nseeds: [2]\nsettings: {epochs: 6}\n", method),
                    *plan_path = test_file(folder, "plan.yaml", text);
    t->cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    t->data = rmil_train_data_load(t->cohort, &options, NULL, 1, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(RmilStudyPlan) plan = rmil_study_plan_read(plan_path, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GArray) repeats = rmil_study_plan_repeats(plan, t->data->cohort, &options, &error);
    g_assert_no_error(error);
    t->splits = g_memdup2(g_array_index(repeats, RmilRepeat, 0).splits, (gsize)t->data->count * sizeof *t->splits);
    const RmilStudyOptions how = {.folder = folder, .threads = 2};
    RmilStudyOutcome outcome;
    g_assert_true(rmil_study_execute(plan, t->data, &options, &how, NULL, &outcome, &error));
    g_assert_no_error(error);
    rmil_study_outcome_clear(&outcome);
    g_autoptr(RmilStudy) study = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    t->model = rmil_model_load(rmil_study_run(study, 0)->model, &error);
    g_assert_no_error(error);
    t->patches = rmil_study_patches(study, 0, &error);
    t->lesions = rmil_study_lesions(study, 0, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < t->patches->len; i++) { /* ids are the study's, which goes */
        RmilPatchRow *row = &g_array_index(t->patches, RmilPatchRow, i);
        row->slide = g_intern_string(row->slide);
    }
    for (guint i = 0; i < t->lesions->len; i++) {
        RmilLesionRow *row = &g_array_index(t->lesions, RmilLesionRow, i);
        row->slide = g_intern_string(row->slide);
    }
}

static void trained_clear(Trained *t) {
    g_array_unref(t->patches);
    g_array_unref(t->lesions);
    g_free(t->splits);
    rmil_model_free(t->model);
    rmil_train_data_free(t->data);
    rmil_cohort_free(t->cohort);
}

/* class: RMIL_ROW_USUAL, or what the model says of one. */
static float *row_of(const Trained *t, int64_t row, int class) {
    const RmilBag *bag = t->data->bags[row];
    float *scores = g_new(float, bag->count);
    RmilPrediction prediction;
    GError *error = NULL;
    g_assert_true(rmil_model_predict_row(t->model, bag, &t->data->targets[row], class, &prediction, scores, NULL, &error));
    g_assert_no_error(error);
    return scores;
}

/* By which detections are compared: of three classes, of which the first is negative, the higher of the other two. */
static float *scores_of(const Trained *t, int64_t row) {
    if (t->data->cohort->task.classes == 2) return row_of(t, row, RMIL_ROW_USUAL);
    float *one = row_of(t, row, 1);
    g_autofree float *two = row_of(t, row, 2);
    for (int64_t i = 0; i < t->data->bags[row]->count; i++) one[i] = MAX(one[i], two[i]);
    return one;
}

static gboolean near(const RmilBag *bag, int64_t i, int64_t j) {
    return llabs(bag->coords[2 * i] - bag->coords[2 * j]) < (int64_t)(1.5 * bag->patch_size_level0) &&
           llabs(bag->coords[2 * i + 1] - bag->coords[2 * j + 1]) < (int64_t)(1.5 * bag->patch_size_level0);
}

static gboolean is_top(const RmilBag *bag, const float *scores, int64_t i) {
    for (int64_t j = 0; j < bag->count; j++)
        if (j != i && near(bag, i, j) && (scores[j] > scores[i] || (scores[j] == scores[i] && j < i))) return FALSE;
    return TRUE;
}

/* How many false positives on all negative test slides a threshold lets through. */
static double wrong_ones(const Trained *t, double threshold, int64_t *negatives) {
    double wrong = 0;
    *negatives = 0;
    for (int64_t row = 0; row < t->data->count; row++) {
        if (t->splits[row] != RMIL_SPLIT_TEST || t->data->targets[row].label != 0) continue;
        g_autofree float *scores = scores_of(t, row);
        ++*negatives;
        for (int64_t i = 0; i < t->data->bags[row]->count; i++)
            wrong += (double)scores[i] >= threshold && is_top(t->data->bags[row], scores, i);
    }
    return wrong;
}

/* The lesion of every annotated patch: numbers spread from neighbour to neighbour; 0: none. */
static int64_t number_lesions(const RmilBag *bag, int64_t *lesion) {
    int64_t count = 0;
    memset(lesion, 0, (gsize)bag->count * sizeof *lesion);
    for (int64_t i = 0; i < bag->count; i++) {
        if (!bag->patch_labels[i] || lesion[i]) continue;
        lesion[i] = ++count;
        for (gboolean more = TRUE; more;) {
            more = FALSE;
            for (int64_t a = 0; a < bag->count; a++)
                for (int64_t b = 0; b < bag->count && lesion[a] == count; b++)
                    if (bag->patch_labels[b] && !lesion[b] && near(bag, a, b)) more = (lesion[b] = count) != 0;
        }
    }
    return count;
}

static void check_recorded(const char *cohort, const char *method) {
    Trained t;
    train(&t, cohort, method);
    guint slide = 0, at = 0;
    for (int64_t row = 0; row < t.data->count; row++) {
        const RmilBag *bag = t.data->bags[row];
        if (t.splits[row] != RMIL_SPLIT_TEST || t.data->targets[row].label < 1) continue;
        g_autofree float *usual = row_of(&t, row, RMIL_ROW_USUAL), *scores = scores_of(&t, row);
        double pairs = 0, right = 0;
        for (int64_t i = 0; i < bag->count; i++)
            for (int64_t j = 0; j < bag->count; j++) {
                if (!bag->patch_labels[i] || bag->patch_labels[j]) continue;
                pairs++;
                right += usual[i] > usual[j] ? 1 : usual[i] == usual[j] ? 0.5 : 0;
            }
        const RmilPatchRow *patches = &g_array_index(t.patches, RmilPatchRow, slide++);
        g_assert_cmpstr(patches->slide, ==, t.data->cohort->rows[row].id);
        g_assert_cmpfloat_with_epsilon(patches->auroc, right / pairs, 1e-12);
        g_autofree int64_t *lesion = g_new(int64_t, bag->count);
        const int64_t lesions = number_lesions(bag, lesion);
        for (int64_t l = 1; l <= lesions; l++, at++) {
            const RmilLesionRow *found = &g_array_index(t.lesions, RmilLesionRow, at);
            int64_t tiles = 0, negatives;
            double score = NAN;
            for (int64_t i = 0; i < bag->count; i++) {
                tiles += lesion[i] == l;
                if (lesion[i] == l && is_top(bag, scores, i)) score = fmax((double)scores[i], score);
            }
            g_assert_cmpstr(found->slide, ==, patches->slide);
            g_assert_cmpint(found->lesion, ==, l);
            g_assert_cmpint(found->tiles, ==, tiles);
            g_assert_true(found->score == score || (isnan(score) && isnan(found->score)));
            const double wrong = wrong_ones(&t, score, &negatives);
            g_assert_cmpint(found->negatives, ==, negatives);
            if (isnan(score)) g_assert_true(isnan(found->false_positives));
            else g_assert_cmpfloat_with_epsilon(found->false_positives, wrong / (double)negatives, 1e-12);
        }
    }
    g_assert_cmpint(slide, ==, t.patches->len);
    g_assert_cmpint(at, ==, t.lesions->len);
    g_assert_cmpint(at, >, slide - 1);
    trained_clear(&t);
}

static void test_recorded(void) { check_recorded(studies_cohort(), "rank"); }

static void test_classes(void) {
    g_autofree char *folder = test_folder();
    RmilSynthFeatureOptions options;
    GError *error = NULL;
    rmil_synth_feature_options_init(&options);
    options.train = 15;
    options.test = 9;
    options.dim = 16;
    options.scale = 0.02;
    options.threads = 1;
    options.task.classes = 3;
    g_assert_true(rmil_synth_features_write(folder, &options, NULL, &error));
    g_assert_no_error(error);
    check_recorded(folder, "clam-mb");
}

/* Of slides whose patches lie on no grid there are no lesions; the patches are ranked all the same. */
static void test_no_grid(void) {
    Trained t;
    train(&t, studies_cohort(), "rank");
    for (int64_t row = 0; row < t.data->count; row++)
        t.data->bags[row]->coords[0] += 100000 + (int64_t)(t.data->bags[row]->patch_size_level0 / 3);
    g_autofree RmilApplied *applied = g_new0(RmilApplied, t.data->count);
    g_autoptr(GArray) lesions = g_array_new(FALSE, FALSE, sizeof(RmilLesionRow));
    GError *error = NULL;
    g_assert_true(rmil_train_apply(t.data, t.model, t.splits, FALSE, 2, NULL, applied, lesions, &error));
    g_assert_no_error(error);
    g_assert_cmpint(lesions->len, ==, 0);
    guint slide = 0;
    for (int64_t row = 0; row < t.data->count; row++)
        if (applied[row].localised) g_assert_cmpfloat(applied[row].patch_auroc, ==, g_array_index(t.patches, RmilPatchRow, slide++).auroc);
    g_assert_cmpint(slide, ==, t.patches->len);
    /* as tables: none of lesions, and one of an earlier time goes */
    g_autofree char *folder = test_folder(), *old = test_file(folder, "lesions.csv", "id\n");
    g_assert_true(rmil_train_apply_write(t.data, t.model, t.splits, 2, folder, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(test_exists(folder, "patches.csv") && !test_exists(folder, "lesions.csv"));
    GStringChunk *strings = g_string_chunk_new(100);
    GArray *patches, *none;
    g_assert_true(rmil_run_found(folder, strings, &patches, &none, &error));
    g_assert_no_error(error);
    g_assert_cmpint(patches->len, ==, t.patches->len);
    g_assert_cmpint(none->len, ==, 0);
    g_array_unref(patches);
    g_array_unref(none);
    g_free(test_file(folder, "lesions.csv", "id,lesion\na,-1\n"));
    g_assert_false(rmil_run_found(folder, strings, &patches, &none, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "lesions.csv: has no column \"tiles\"");
    g_string_chunk_free(strings);
    trained_clear(&t);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/localise/recorded", test_recorded);
    g_test_add_func("/localise/classes", test_classes);
    g_test_add_func("/localise/no-grid", test_no_grid);
    return g_test_run();
}
