/* SPDX-License-Identifier: Apache-2.0 */
/* Studies run, killed, and gone on with. */
#include "studies.h"
#include "study/vary-data.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static RmilCohort *cohort;
static RmilTrainData *data;

static void load(void) {
    if (data) return;
    GError *error = NULL;
    RmilTrainOptions options;
    rmil_train_options_init(&options);
    g_autofree char *path = g_build_filename(studies_cohort(), "cohort.csv", NULL);
    cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    data = rmil_train_data_load(cohort, &options, NULL, 1, NULL, &error);
    g_assert_no_error(error);
}

static void repeat_of(int64_t seed, RmilRepeat *repeat) {
    RmilTrainOptions options;
    GError *error = NULL;
    rmil_train_options_init(&options);
    g_autoptr(GArray) repeats = rmil_train_options_repeats(&options, cohort, &seed, 1, &error);
    g_assert_no_error(error);
    *repeat = g_array_index(repeats, RmilRepeat, 0);
    repeat->name = g_strdup("");
    repeat->splits = g_memdup2(repeat->splits, (gsize)data->count * sizeof *repeat->splits);
}

static int64_t count(const RmilSplit *splits, RmilSplit set, int label) {
    int64_t n = 0;
    for (int64_t i = 0; i < data->count; i++) n += splits[i] == set && data->targets[i].label == label;
    return n;
}

/* -- what varies ------------------------------------------------------------------------------------------------------------- */
static void test_fraction(void) {
    load();
    RmilRepeat repeat;
    repeat_of(3, &repeat);
    const double fractions[] = {0.01, 0.3, 0.5, 0.8, 1};
    g_autofree RmilSplit *less = NULL;
    for (gsize f = 0; f < G_N_ELEMENTS(fractions); f++) {
        RmilSplit *splits = g_new0(RmilSplit, data->count);
        rmil_vary_fraction(data, &repeat, fractions[f], splits);
        for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_VAL; set++)
            for (int label = 0; label < 2; label++) {
                double all = (double)count(repeat.splits, set, label);
                g_assert_cmpint(count(splits, set, label), ==, (int64_t)fmax(1, floor(fractions[f] * all + 0.5)));
            }
        for (int64_t i = 0; i < data->count; i++) {
            g_assert_true(splits[i] == repeat.splits[i] || splits[i] == RMIL_SPLIT_NONE);
            if (repeat.splits[i] == RMIL_SPLIT_TEST) g_assert_cmpint(splits[i], ==, RMIL_SPLIT_TEST);
            if (less && less[i] != RMIL_SPLIT_NONE) g_assert_cmpint(splits[i], ==, less[i]); /* nested */
        }
        g_free(less);
        less = splits;
    }
    g_assert_true(memcmp(less, repeat.splits, (gsize)data->count * sizeof *less) == 0);
    g_free(repeat.name);
    g_free(repeat.splits);
}

static void test_annotated(void) {
    load();
    RmilRepeat repeat;
    repeat_of(4, &repeat);
    const double shares[] = {0, 0.05, 0.5, 1};
    g_autofree gboolean *less = g_new0(gboolean, data->count);
    int64_t positives = count(repeat.splits, RMIL_SPLIT_TRAIN, 1);
    for (gsize s = 0; s < G_N_ELEMENTS(shares); s++) {
        g_autofree gboolean *kept = g_new0(gboolean, data->count);
        rmil_vary_annotated(data, &repeat, shares[s], kept);
        int64_t train = 0;
        for (int64_t i = 0; i < data->count; i++) {
            g_assert_true(kept[i] || !less[i]);
            if (!kept[i]) continue;
            g_assert_cmpint(data->targets[i].label, ==, 1);
            g_assert_true(repeat.splits[i] == RMIL_SPLIT_TRAIN || repeat.splits[i] == RMIL_SPLIT_VAL);
            train += repeat.splits[i] == RMIL_SPLIT_TRAIN;
        }
        g_assert_cmpint(train, ==, shares[s] > 0 ? (int64_t)fmax(1, floor(shares[s] * (double)positives + 0.5)) : 0);
        RmilVariant variant;
        g_assert_true(rmil_variant_init(&variant, data, repeat.splits, &(RmilAnnotating){.kept = kept}, NULL));
        for (int64_t i = 0; i < data->count; i++) {
            gboolean lost = data->targets[i].label == 1 && !kept[i] && repeat.splits[i] != RMIL_SPLIT_TEST;
            g_assert_true(variant.bags[i]->patch_labels == (lost ? NULL : data->bags[i]->patch_labels));
            g_assert_true(variant.bags[i]->features == data->bags[i]->features);
        }
        rmil_variant_clear(&variant);
        memcpy(less, kept, (gsize)data->count * sizeof *less);
    }
    g_free(repeat.name);
    g_free(repeat.splits);
}

/* By the definition: every tile against every annotated one. */
static void test_grown(void) {
    load();
    const double paddings[] = {0, 1, 100, 448, 1000, 50000};
    GError *error = NULL;
    for (gsize p = 0; p < G_N_ELEMENTS(paddings); p++) {
        g_autoptr(RmilGrown) grown = rmil_grown_new(data, paddings[p], NULL, &error);
        g_assert_no_error(error);
        for (int64_t i = 0; i < data->count; i++) {
            const RmilBag *bag = data->bags[i];
            gboolean any = FALSE;
            for (int64_t k = 0; k < bag->count; k++) any = any || bag->patch_labels[k];
            g_assert_true((grown->labels[i] != NULL) == any);
            for (int64_t k = 0; any && k < bag->count; k++) {
                gboolean near = bag->patch_labels[k];
                for (int64_t j = 0; j < bag->count; j++) {
                    double dx = fabs((double)(bag->coords[2 * j] - bag->coords[2 * k])) - bag->patch_size_level0;
                    double dy = fabs((double)(bag->coords[2 * j + 1] - bag->coords[2 * k + 1])) - bag->patch_size_level0;
                    near = near || (bag->patch_labels[j] && hypot(fmax(dx, 0), fmax(dy, 0)) < paddings[p]);
                }
                g_assert_cmpint(grown->labels[i][k], ==, near);
            }
        }
    }
    /* a label file of the padding wins over the grid; a bag without coordinates cannot grow by itself */
    g_autofree char *folder = test_folder();
    int64_t positive = 0;
    while (data->targets[positive].label != 1) positive++;
    RmilBag *bag = (RmilBag *)data->bags[positive];
    g_autofree uint8_t *all = g_malloc((gsize)bag->count);
    memset(all, 1, (gsize)bag->count);
    g_autofree char *name = g_strconcat(bag->id, ".h5", NULL), *path = g_build_filename(folder, name, NULL);
    g_assert_true(rmil_labels_write(path, all, NULL, bag->count, "test", &error));
    int64_t *coords = g_steal_pointer(&bag->coords);
    g_autoptr(RmilGrown) filed = rmil_grown_new(data, 448, folder, &error);
    g_assert_no_error(error);
    g_assert_true(memcmp(filed->labels[positive], all, (gsize)bag->count) == 0);
    g_assert_null(rmil_grown_new(data, 448, NULL, &error));
    test_error(&error, RMIL_ERROR_DATA, bag->id);
    bag->coords = coords;
}

/* -- running ----------------------------------------------------------------------------------------------------------------- */
static RmilStudyPlan *plan_of(const char *text) {
    g_autofree char *folder = test_folder(), *path = test_file(folder, "plan.yaml", text);
    GError *error = NULL;
    RmilStudyPlan *plan = rmil_study_plan_read(path, NULL, &error);
    g_assert_no_error(error);
    return plan;
}

static RmilStudyOutcome run(const char *text, const char *folder, int shard, int shards, int threads) {
    load();
    g_autoptr(RmilStudyPlan) plan = plan_of(text);
    RmilTrainOptions base;
    rmil_train_options_init(&base);
    const RmilStudyOptions options = {.folder = folder, .shard = shard, .shards = shards, .threads = threads};
    RmilStudyOutcome outcome;
    GError *error = NULL;
    g_assert_true(rmil_study_execute(plan, data, &base, &options, NULL, &outcome, &error));
    g_assert_no_error(error);
    return outcome;
}

static const char small[] = "study: low-data\nmethods: [abmil, rank, dsmil]\nvalues: [0.5, 1]\nseeds: [3, 5]\nsettings: {epochs: 3}\n";

static void test_same(void) {
    g_autofree char *one = test_folder(), *many = test_folder(), *shards = test_folder();
    RmilStudyOutcome outcome = run(small, one, 0, 0, 1);
    g_assert_cmpint(outcome.planned, ==, 12);
    g_assert_cmpint(outcome.made, ==, 12);
    rmil_study_outcome_clear(&outcome);
    outcome = run(small, many, 0, 0, 5);
    rmil_study_outcome_clear(&outcome);
    studies_assert_same(one, many);
    /* shards; a run that another record has is not made again */
    outcome = run(small, shards, 2, 3, 1);
    g_assert_cmpint(outcome.share, ==, 4);
    g_assert_cmpint(outcome.made, ==, 4);
    rmil_study_outcome_clear(&outcome);
    outcome = run(small, shards, 1, 2, 2);
    g_assert_cmpint(outcome.share, ==, 6);
    g_assert_cmpint(outcome.kept, ==, 2);
    rmil_study_outcome_clear(&outcome);
    outcome = run(small, shards, 2, 2, 1);
    g_assert_cmpint(outcome.left, ==, 0);
    rmil_study_outcome_clear(&outcome);
    studies_assert_same(one, shards);
    /* again: nothing to do, and nothing left behind */
    outcome = run(small, one, 0, 0, 1);
    g_assert_cmpint(outcome.made, ==, 0);
    g_assert_cmpint(outcome.kept, ==, 12);
    rmil_study_outcome_clear(&outcome);
    g_autofree char *checkpoints = g_build_filename(one, "checkpoints", NULL);
    g_assert_false(g_file_test(checkpoints, G_FILE_TEST_EXISTS));
}

static RmilStudy *open_study(const char *folder) {
    GError *error = NULL;
    RmilStudy *study = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    return study;
}

static void assert_same_predictions(RmilStudy *a, int64_t i, RmilStudy *b, int64_t j) {
    g_autoptr(GArray) x = rmil_study_predictions(a, i, NULL);
    g_autoptr(GArray) y = rmil_study_predictions(b, j, NULL);
    g_assert_cmpuint(x->len, ==, y->len);
    for (guint k = 0; k < x->len; k++)
        g_assert_cmpfloat(g_array_index(x, RmilPredictionRow, k).logit, ==, g_array_index(y, RmilPredictionRow, k).logit);
}

/* What varies has the meaning that the plans give it. */
static void test_meaning(void) {
    g_autofree char *plain = test_folder(), *annotated = test_folder(), *threshold = test_folder(), *padding = test_folder();
    RmilStudyOutcome outcomes[] = {
        run("study: comparison\nmethods: [abmil, rank]\nseeds: [2]\nsettings: {epochs: 3}\n", plain, 0, 0, 2),
        run("study: annotated-fraction\nmethods: [rank]\nvalues: [0, 0.5, 1]\nseeds: [2]\nsettings: {epochs: 3}\n", annotated, 0, 0, 2),
        run("study: threshold\nmethods: [rank]\nvalues: [0, 1]\nseeds: [2]\nsettings: {epochs: 3}\n", threshold, 0, 0, 2),
        run("study: granularity\nmethods: [rank]\nvalues: [0, 2000]\nseeds: [2]\nsettings: {epochs: 3}\n", padding, 0, 0, 2),
    };
    for (gsize i = 0; i < G_N_ELEMENTS(outcomes); i++) rmil_study_outcome_clear(&outcomes[i]);
    g_autoptr(RmilStudy) p = open_study(plain), a = open_study(annotated), t = open_study(threshold), g = open_study(padding);
    assert_same_predictions(p, 0, a, 0); /* rank without an annotation is AB-MIL */
    assert_same_predictions(p, 1, a, 2);
    assert_same_predictions(p, 1, t, 1); /* T = 1 is the default */
    assert_same_predictions(p, 1, g, 0);
    g_autoptr(GArray) none = rmil_study_epochs(a, 0, NULL);
    g_autoptr(GArray) half = rmil_study_epochs(a, 1, NULL);
    g_autoptr(GArray) sharp = rmil_study_epochs(g, 0, NULL);
    g_autoptr(GArray) coarse = rmil_study_epochs(g, 1, NULL);
    g_assert_cmpfloat(g_array_index(none, RmilEpoch, 2).train_guide_loss, ==, 0);
    g_assert_cmpfloat(g_array_index(half, RmilEpoch, 2).train_guide_loss, >, 0);
    g_assert_cmpfloat(g_array_index(sharp, RmilEpoch, 2).train_guide_loss, !=, g_array_index(coarse, RmilEpoch, 2).train_guide_loss);
    /* lesions are found on the test slides' own annotations, whatever the training had */
    g_autoptr(GArray) places = rmil_study_localisation(a, 0, NULL);
    g_autoptr(GArray) attention = rmil_study_attention(a, 0, NULL);
    g_assert_cmpuint(attention->len, ==, 4);
    g_assert_cmpuint(places->len, ==, 4 * RMIL_ALPHAS);
    for (guint i = 0; i < attention->len; i++) {
        double share = g_array_index(attention, RmilAttentionRow, i).lesion_share;
        g_assert_true(share >= 0 && share <= 1);
    }
}

static const char twins[] = "study: annotated-fraction\nmethods: [abmil, rank]\nvalues: [0, 0.5, 1]\nseeds: [2]\nsettings: {epochs: 3}\n";

typedef struct {
    const char *folder;
    int shard;
} Shard;

static gpointer run_shard(gpointer user) {
    const Shard *shard = user;
    RmilStudyOutcome outcome = run(twins, shard->folder, shard->shard, 2, 1);
    g_assert_cmpint(outcome.made, ==, 3);
    rmil_study_outcome_clear(&outcome);
    return NULL;
}

/* Runs that train the same are trained once and recorded each: a method without guide, whatever is annotated. */
static void test_twins(void) {
    g_autofree char *whole = test_folder(), *parts = test_folder();
    RmilStudyOutcome outcome = run(twins, whole, 0, 0, 3);
    g_assert_cmpint(outcome.planned, ==, 6);
    g_assert_cmpint(outcome.made, ==, 6);
    rmil_study_outcome_clear(&outcome);
    g_autoptr(RmilStudy) study = open_study(whole);
    for (int64_t i = 1; i < 3; i++) {
        assert_same_predictions(study, 0, study, i);
        g_assert_cmpstr(rmil_study_run(study, i)->key, !=, rmil_study_run(study, 0)->key);
        g_assert_cmpfloat(rmil_study_run(study, i)->seconds, ==, rmil_study_run(study, 0)->seconds); /* of one training */
    }
    /* twins in two shards are trained in both, at once, to the same numbers */
    Shard shards[2] = {{parts, 1}, {parts, 2}};
    GThread *second = g_thread_new("shard", run_shard, &shards[1]);
    run_shard(&shards[0]);
    g_thread_join(second);
    studies_assert_same(whole, parts);
}

/* How many different models a study made. */
static gint64 models_of(const char *folder) {
    g_autoptr(RmilStudy) study = open_study(folder);
    g_autoptr(GHashTable) models = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < rmil_study_count(study); i++) g_hash_table_add(models, (gpointer)rmil_study_run(study, i)->sha256);
    return g_hash_table_size(models);
}

/* A patch classifier has no guide, but what is annotated is all that it learns from: no twins. */
static void test_patches(void) {
    static const char plan[] = "study: annotated-fraction\nmethods: [instance]\nvalues: [0, 0.5, 1]\nseeds: [2]\nsettings: {epochs: 3}\n";
    g_autofree char *folder = test_folder();
    RmilStudyOutcome outcome = run(plan, folder, 0, 0, 2);
    g_assert_cmpint(outcome.made, ==, 2);
    g_assert_cmpuint(outcome.failures->len, ==, 1);
    const RmilStudyFailure *failure = outcome.failures->pdata[0];
    g_assert_nonnull(strstr(failure->message,
                            "positive training slides has an annotated patch, and patch-linear learns only from annotated "
                            "patches"));
    rmil_study_outcome_clear(&outcome);
    g_autoptr(RmilStudy) study = open_study(folder);
    g_assert_cmpstr(rmil_study_run(study, 1)->sha256, !=, rmil_study_run(study, 2)->sha256);
}

/* Two options varied: each cell trains with its values, on any number of threads and shards, and again after a smaller grid. */
static void test_grid(void) {
    static const char grid[] = "study: comparison\nmethods: [abmil, rank, clam-sb]\nvary: [sigma, dropout]\nvalues: [[1, 4], [0, 0.25]]\n"
                               "seeds: [2]\nsettings: {epochs: 3}\n",
                      less[] = "study: comparison\nmethods: [rank]\nvary: [sigma, dropout]\nvalues: [[4], [0.25]]\n"
                               "seeds: [2]\nsettings: {epochs: 3}\n",
                      plain[] = "study: comparison\nmethods: [rank]\nseeds: [2]\nsettings: {epochs: 3, sigma: 4, dropout: 0.25}\n";
    g_autofree char *whole = test_folder(), *grown = test_folder(), *shards = test_folder(), *alone = test_folder();
    RmilStudyOutcome outcome = run(grid, whole, 0, 0, 2);
    g_assert_cmpint(outcome.made, ==, 12);
    rmil_study_outcome_clear(&outcome);
    /* abmil and clam-sb know no sigma: two trainings each, four of rank */
    g_assert_cmpint(models_of(whole), ==, 8);
    g_autoptr(RmilStudy) study = open_study(whole);
    const RmilStudyRun *last = rmil_study_run(study, 7);
    g_assert_cmpstr(last->varied[0].name, ==, "sigma");
    g_assert_cmpstr(last->varied[1].text, ==, "0.25");
    g_assert_cmpfloat(last->varied[0].number, ==, 4);
    g_assert_true(isnan(last->value));
    g_autofree char *title = rmil_study_run_title(last);
    g_assert_cmpstr(title, ==, "rank, sigma 4, dropout 0.25, seed 2");
    g_assert_cmpstr(rmil_study_value(study, "variable"), ==, "sigma, dropout");
    assert_same_predictions(study, 1, study, 3); /* abmil with dropout, whatever sigma */
    outcome = run(plain, alone, 0, 0, 1);
    rmil_study_outcome_clear(&outcome);
    g_autoptr(RmilStudy) settled = open_study(alone);
    assert_same_predictions(study, 7, settled, 0);
    g_assert_null(rmil_study_run(settled, 0)->varied[0].name);
    outcome = run(less, grown, 0, 0, 1);
    rmil_study_outcome_clear(&outcome);
    outcome = run(grid, grown, 0, 0, 1);
    g_assert_cmpint(outcome.kept, ==, 1);
    rmil_study_outcome_clear(&outcome);
    studies_assert_same(whole, grown);
    for (int shard = 1; shard <= 2; shard++) {
        outcome = run(grid, shards, shard, 2, 1);
        rmil_study_outcome_clear(&outcome);
    }
    studies_assert_same(whole, shards);
}

/* Slides, annotations and outlines varied at once: a share of annotations is of the slides that are left. */
static void test_data_grid(void) {
    g_autofree char *one = test_folder(), *two = test_folder(), *words = test_folder();
    RmilStudyOutcome outcomes[] = {
        run("study: comparison\nmethods: [rank]\nvary: [annotated, fraction]\nvalues: [[0, 1], [0.5, 1]]\nseeds: [2]\nsettings: {epochs: 3}\n",
            one, 0, 0, 2),
        run("study: comparison\nmethods: [rank]\nvary: [padding, annotated]\nvalues: [[0, 2000], [0, 1]]\nseeds: [2]\nsettings: {epochs: 3}\n",
            two, 0, 0, 2),
        run("study: comparison\nmethods: [rank]\nvary: sampler\nvalues: [shuffle, balanced]\nseeds: [2]\nsettings: {epochs: 3}\n", words, 0,
            0, 2),
    };
    for (gsize i = 0; i < G_N_ELEMENTS(outcomes); i++) rmil_study_outcome_clear(&outcomes[i]);
    g_autoptr(RmilStudy) slides = open_study(one), outlines = open_study(two), samplers = open_study(words);
    assert_same_predictions(slides, 1, outlines, 0); /* nothing annotated, on all slides */
    assert_same_predictions(outlines, 0, outlines, 2);
    assert_same_predictions(slides, 3, outlines, 1); /* all as it is */
    assert_same_predictions(slides, 3, samplers, 1);
    g_assert_cmpint(models_of(one), ==, 4);
    g_assert_cmpint(models_of(two), ==, 3);
    g_assert_cmpint(models_of(words), ==, 2);
    g_assert_true(isnan(rmil_study_run(samplers, 0)->value) && isnan(rmil_study_run(samplers, 0)->varied[0].number));
}

/* A run that cannot be trained is told, and the others go on; it is tried again, and made when nothing is in its way. */
static void test_failure(void) {
    load();
    g_autofree char *folder = test_folder();
    const char *text = "study: low-data\nmethods: [abmil]\nvalues: [0.4, 1]\nseeds: [2]\nsettings: {epochs: 10}\n";
    RmilRepeat repeat;
    repeat_of(2, &repeat);
    g_autofree RmilSplit *splits = g_new0(RmilSplit, data->count);
    rmil_vary_fraction(data, &repeat, 0.4, splits);
    int64_t row = 0; /* a slide that only the whole development set has; its features overflow */
    while (repeat.splits[row] != RMIL_SPLIT_TRAIN || splits[row] == RMIL_SPLIT_TRAIN) row++;
    const RmilBag *bag = data->bags[row];
    const gsize size = (gsize)(bag->count * bag->dim) * sizeof(float);
    g_autofree float *features = g_memdup2(bag->features, size);
    for (int64_t i = 0; i < bag->count * bag->dim; i++) ((float *)bag->features)[i] = 3e38f;
    for (int again = 0; again < 3; again++) {
        if (again == 2) memcpy(bag->features, features, size);
        RmilStudyOutcome outcome = run(text, folder, 0, 0, 1);
        g_assert_cmpint(outcome.made, ==, again == 1 ? 0 : 1);
        g_assert_cmpint(outcome.left, ==, again == 2 ? 0 : 1);
        g_assert_cmpuint(outcome.failures->len, ==, again == 2 ? 0 : 1);
        if (again < 2) {
            const RmilStudyFailure *failure = outcome.failures->pdata[0];
            g_assert_cmpstr(failure->title, ==, "abmil, fraction 1, seed 2");
            g_assert_null(failure->folder);
            g_assert_nonnull(strstr(failure->message, "training diverged in epoch"));
        }
        rmil_study_outcome_clear(&outcome);
    }
    g_free(repeat.name);
    g_free(repeat.splits);
}

/* -- guides with nothing to follow ------------------------------------------------------------------------------------------- */
static void keep_warning(gpointer user, const char *message) { g_string_append_printf(user, "%s\n", message); }

/* What training says of patch labels that are `label` all over, or 0 but for the first patch where label is 2, or 3 with regions as large as
 * slides; part NULL: it says nothing. */
static void check_said(const char *method_name, int label, const char *part) {
    GError *error = NULL;
    RmilTrainOptions options;
    RmilRepeat repeat;
    repeat_of(2, &repeat);
    g_autofree RmilBag *copies = g_new0(RmilBag, data->count);
    g_autofree const RmilBag **bags = g_new0(const RmilBag *, data->count);
    for (int64_t i = 0; i < data->count; i++) {
        copies[i] = *data->bags[i];
        copies[i].patch_labels = label < 0 ? NULL : g_malloc0((gsize)copies[i].count);
        if (label == 1) memset(copies[i].patch_labels, 1, (gsize)copies[i].count);
        if (label >= 2) copies[i].patch_labels[0] = 1;
        bags[i] = &copies[i];
    }
    rmil_train_options_init(&options);
    static const char *const settings[][2] = {{"epochs", "1"}, {"warmup", "1"}, {"hidden", "6"}, {"region-size", "100"}};
    for (int i = 0; i < (label == 3 ? 4 : 3); i++) g_assert_true(rmil_train_options_set(&options, settings[i][0], settings[i][1], &error));
    RmilTrainRun run = {.data = data, .splits = repeat.splits, .bags = bags};
    g_assert_true(rmil_train_options_configure(&options, rmil_method_find(method_name, NULL), &run.model, &run.train, &error));
    run.model.dim = data->set->dim;
    run.train.threads = 1;
    g_autoptr(GString) said = g_string_new(NULL);
    const RmilMonitor monitor = {.warn = keep_warning, .user = said};
    g_autoptr(GArray) history = g_array_new(FALSE, FALSE, sizeof(RmilEpoch));
    g_autoptr(RmilModel) model = rmil_train_run(&run, NULL, history, &monitor, &error);
    g_assert_no_error(error);
    if (!part) g_assert_cmpstr(said->str, ==, "");
    else if (!strstr(said->str, part)) g_error("%s: \"%s\" does not contain \"%s\"", method_name, said->str, part);
    for (int64_t i = 0; i < data->count; i++) g_free(copies[i].patch_labels);
    rmil_train_options_clear(&options);
    g_free(repeat.name);
    g_free(repeat.splits);
}

static void test_unguided(void) {
    load();
    check_said("abmil", -1, NULL);
    for (int label = -1; label <= 0; label++) { /* no labels; labels of 0 */
        check_said("rank", label,
                   "none of the 7 positive training slides has an annotated patch. The model trains as abmil does without a guide");
        check_said("induction", label, "guide induction has no effect: none of the 7");
        check_said("ds-rank", label, "The model trains as dsmil does without a guide");
        check_said("rank-anchor", label, "The model trains as abmil does without a guide, except for its anchor");
        check_said("evenness", label, "guide evenness has no annotated lesions to learn from: none of the 7 positive training slides");
    }
    check_said("rank", 1, "on all 7 annotated positive training slides every patch is annotated");
    check_said("induction", 1, NULL);
    check_said("rank-both", 1, NULL); /* patches of negative slides are there to rank below */
    check_said("hipt-rank", 1, "every region is annotated");
    check_said("rank", 2, NULL);
    check_said("hipt-rank", 2, NULL);
    check_said("hipt-rank", 3, "every region is annotated"); /* there is only one */
}

static void test_lock(void) {
    g_autofree char *folder = test_folder(), *blocked = g_build_filename(folder, "models", NULL);
    load();
    g_autoptr(RmilStudyPlan) plan = plan_of("study: comparison\nmethods: [rank]\nseeds: 1\nsettings: {epochs: 1}\n");
    RmilTrainOptions base;
    rmil_train_options_init(&base);
    const RmilStudyOptions wrong = {.folder = folder, .shard = 3, .shards = 2, .threads = 1}, right = {.folder = folder, .threads = 1};
    RmilStudyOutcome outcome;
    GError *error = NULL;
    g_assert_false(rmil_study_execute(plan, data, &base, &wrong, NULL, &outcome, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "shard 3 of 2");
    rmil_study_outcome_clear(&outcome);
    g_autofree char *file = test_file(folder, "models", "in the way");
    g_assert_false(rmil_study_execute(plan, data, &base, &right, NULL, &outcome, &error));
    test_error(&error, RMIL_ERROR_IO, blocked);
    rmil_study_outcome_clear(&outcome);
    g_assert_cmpint(g_unlink(file), ==, 0);
    g_assert_true(rmil_study_execute(plan, data, &base, &right, NULL, &outcome, &error));
    g_assert_cmpint(outcome.made, ==, 1);
    rmil_study_outcome_clear(&outcome);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/study/fraction", test_fraction);
    g_test_add_func("/study/annotated", test_annotated);
    g_test_add_func("/study/grown", test_grown);
    g_test_add_func("/study/same-on-threads-and-shards", test_same);
    g_test_add_func("/study/meaning", test_meaning);
    g_test_add_func("/study/twins", test_twins);
    g_test_add_func("/study/patches", test_patches);
    g_test_add_func("/study/grid", test_grid);
    g_test_add_func("/study/data-grid", test_data_grid);
    g_test_add_func("/study/failure", test_failure);
    g_test_add_func("/study/unguided", test_unguided);
    g_test_add_func("/study/lock", test_lock);
    int status = g_test_run();
    rmil_train_data_free(data);
    if (cohort) rmil_cohort_free(cohort);
    return status;
}
