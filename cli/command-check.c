/* rankmil check COHORT: opens everything before hours are spent on it. */
#include "train.h"

#include <math.h>
#include <string.h>

typedef struct {
    Work *work;
    GMutex lock;
    int64_t done;
    double *mpp;         /* by row; 0 a plain image without, < 0 no slide */
    int64_t *dim;        /* by row; 0 no features */
    gboolean *annotated; /* by row: patches of its features are labelled */
} Checking;

/* Reads one pixel block in each corner and the middle: a truncated slide often opens well. */
static gboolean sample_slide(RmilSlide *slide, GError **error) {
    const RmilSlideInfo *info = rmil_slide_info(slide);
    enum { SIDE = 64 };
    g_autofree uint8_t *pixels = g_malloc(SIDE * SIDE * 3);
    for (int i = 0; i < 5; i++) {
        double x = i == 4 ? 0.5 : i % 2, y = i == 4 ? 0.5 : i / 2;
        double left = (double)info->bounds_x + x * (double)MAX(info->bounds_width - SIDE, 0);
        double top = (double)info->bounds_y + y * (double)MAX(info->bounds_height - SIDE, 0);
        if (!rmil_slide_read(slide, left, top, 1, SIDE, SIDE, pixels, error)) return FALSE;
    }
    return TRUE;
}

/* Black, blank, dark and faint slides show in a small thumbnail, where the pyramid makes one cheap. */
static void look_at_tissue(const Work *work, RmilSlide *slide) {
    const double mask_mpp = MAX(work->mask_mpp, 32);
    if (rmil_mask_pixels(slide, mask_mpp) > (INT64_C(1) << 25)) return;
    g_autoptr(GError) error = NULL;
    g_autoptr(RmilMask) mask = rmil_mask_new(slide, mask_mpp, &error);
    if (mask) cli_warn_all(work->cli, (const char *const *)mask->warnings);
    else rmil_monitor_warn(&work->cli->monitor, "%s", error->message);
}

static gboolean check_row(Checking *c, int64_t i, GError **error) {
    const Work *work = c->work;
    const RmilCohortRow *row = &work->cohort->rows[i];
    g_autoptr(RmilSlide) slide = NULL;
    g_autoptr(RmilBag) bag = NULL;
    if (row->slide) {
        slide = work_open_slide(work, i, error);
        if (!slide || !sample_slide(slide, error)) return FALSE;
        c->mpp[i] = rmil_slide_info(slide)->mpp;
        look_at_tissue(work, slide);
    }
    if (row->features) {
        bag = rmil_bag_read(row->features, row->id, RMIL_FLOAT32, RMIL_BAG_ALL, error);
        if (!bag || ((row->slide || row->annotation) && !rmil_bag_locate(bag, row->slide, work_mpp(work, i), error))) return FALSE;
        c->dim[i] = bag->dim;
        g_autofree uint8_t *labels = rmil_try_new(bag->count, 1, error);
        if (!labels || (row->patch_labels && !rmil_labels_read(row->patch_labels, bag->count, labels, error))) return FALSE;
        const uint8_t *own = row->patch_labels ? labels : bag->patch_labels;
        for (int64_t k = 0; own && k < bag->count && !c->annotated[i]; k++) c->annotated[i] = own[k] > 0;
    }
    if (row->annotation) {
        g_autoptr(RmilRegion) region = work_read_region(work, row, slide, bag, work->padding, error);
        if (!region) return FALSE;
        if (row->label > 0 && rmil_region_empty(region))
            rmil_monitor_warn(&work->cli->monitor, "%s: %s outlines nothing: the slide trains on its label alone", row->id,
                              row->annotation);
        g_autofree char *doubt = work_annotation_doubt(row, !rmil_region_empty(region));
        if (doubt) {
            g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s", doubt);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_task(int64_t i, int worker, gpointer user, GError **unused) {
    Checking *c = user;
    GError *error = NULL;
    if (!check_row(c, i, &error)) {
        c->work->failed[i] = TRUE;
        cli_problem(c->work->cli, "check", c->work->cohort->rows[i].id, error);
    }
    g_mutex_lock(&c->lock);
    rmil_monitor_progress(&c->work->cli->monitor, "check: rows", ++c->done, c->work->cohort->count);
    g_mutex_unlock(&c->lock);
    return TRUE;
}

/* Before rows are read, while one process can do it for all. */
static void examine_features(const Work *work) {
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    for (int64_t i = 0; i < work->cohort->count; i++) {
        const RmilCohortRow *row = &work->cohort->rows[i];
        if (row->features) g_ptr_array_add(paths, row->features);
        if (row->patch_labels) g_ptr_array_add(paths, row->patch_labels);
    }
    rmil_bag_examine((const char *const *)paths->pdata, paths->len);
}

static int compare_double(gconstpointer a, gconstpointer b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many slides have which resolution: a mix is worth a look, for tiles are resampled to one. */
static void report_mpp(Cli *cli, const Checking *c, int64_t n) {
    g_autofree double *sorted = g_memdup2(c->mpp, (gsize)n * sizeof *c->mpp);
    qsort(sorted, (gsize)n, sizeof *sorted, compare_double);
    JsonObject *mix = json_object_new();
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && fabs(sorted[j] - sorted[i]) <= 0.005 * sorted[i]; j++) continue;
        if (sorted[i] <= 0) continue;
        char name[32];
        g_snprintf(name, sizeof name, "%.3f", sorted[i]);
        json_object_set_int_member(mix, name, j - i);
        cli_say(cli, "mpp %s: %" G_GINT64_FORMAT " slides", name, j - i);
    }
    json_object_set_object_member(cli->result, "mpp", mix);
}

/* A table of splits says the sets, whatever the cohort's own column says. */
static char *spoken_sets(const RmilCohort *cohort, const RmilTrainOptions *options) {
    if (options->splits) {
        g_autoptr(RmilSplitTable) table = rmil_split_table_read(options->splits, cohort, NULL);
        return table ? g_strdup_printf("%s fixes the sets: %" G_GINT64_FORMAT " split%s", options->splits, table->count,
                                       table->count == 1 ? "" : "s")
                     : g_strdup_printf("the sets are those of %s, which is wrong", options->splits);
    }
    int64_t splits[4] = {0};
    for (int64_t i = 0; i < cohort->count; i++) splits[cohort->rows[i].split]++;
    return g_strdup_printf("train %" G_GINT64_FORMAT ", val %" G_GINT64_FORMAT ", test %" G_GINT64_FORMAT ", to be drawn %" G_GINT64_FORMAT,
                           splits[RMIL_SPLIT_TRAIN], splits[RMIL_SPLIT_VAL], splits[RMIL_SPLIT_TEST], splits[RMIL_SPLIT_NONE]);
}

static void report_cohort(Cli *cli, const Checking *c, const RmilTrainOptions *options) {
    const Work *work = c->work;
    int64_t labels[3] = {0}, annotated = 0;
    for (int64_t i = 0; i < work->cohort->count; i++) {
        const RmilCohortRow *row = &work->cohort->rows[i];
        labels[row->label < 0 ? 2 : row->label > 0]++;
        annotated += row->annotation || c->annotated[i]; /* one that cannot be read, too */
    }
    g_autofree char *sets = spoken_sets(work->cohort, options);
    cli_say(cli,
            "%s: %" G_GINT64_FORMAT " rows: %" G_GINT64_FORMAT " positive (%" G_GINT64_FORMAT " rows with an annotation), %" G_GINT64_FORMAT
            " negative, %" G_GINT64_FORMAT " without label; %s",
            work->cohort->path, work->cohort->count, labels[1], annotated, labels[0], labels[2], sets);
    json_object_set_int_member(cli->result, "rows", work->cohort->count);
    json_object_set_int_member(cli->result, "positive", labels[1]);
    json_object_set_int_member(cli->result, "negative", labels[0]);
    json_object_set_int_member(cli->result, "unlabelled", labels[2]);
    json_object_set_int_member(cli->result, "annotated", annotated);
}

/* What training would say of the table. */
static void report_table(Cli *cli, const RmilCohort *cohort, const RmilTrainOptions *options) {
    g_autoptr(GArray) classes = rmil_cohort_classes(cohort), twins = rmil_cohort_twins(cohort);
    g_autoptr(GError) undivided = NULL;
    GError *error = NULL;
    gboolean good = classes->len > 0 ? train_check(cli, cohort, options, 1, &undivided, &error)
                                     : rmil_cohort_check_twins(cohort, twins, NULL, &cli->monitor, &error);
    if (!good) cli_problem(cli, "check", NULL, error);
    if (undivided) rmil_monitor_warn(&cli->monitor, "too few slides to train on: %s", undivided->message);
}

static void report_dims(Cli *cli, const Checking *c, int64_t n) {
    int64_t first = -1;
    for (int64_t i = 0; i < n; i++) {
        if (!c->dim[i]) continue;
        if (first < 0) first = i;
        else if (c->dim[i] != c->dim[first])
            cli_problem(cli, "check", c->work->cohort->rows[i].id,
                        g_error_new(RMIL_ERROR, RMIL_ERROR_DATA, "has %" G_GINT64_FORMAT " features a patch, %s has %" G_GINT64_FORMAT,
                                    c->dim[i], c->work->cohort->rows[first].id, c->dim[first]));
    }
}

int command_check(int argc, char **argv) {
    static const CliUsage usage = {
        "COHORT",
        "Opens every slide, annotation and feature file of a cohort and says what is wrong.",
        "Also: what training would say of the table (labels, classes of every set, splits, columns whose names\n"
        "come near, slides that stand in it twice), patients in two splits, the mix of resolutions, annotations\n"
        "of other slides and what is left out of them, lesions on negative slides.",
        1,
        1,
        CLI_THREADS,
        "check cohort.csv\ncheck cohort.csv --lesion Tumor --splits splits.csv"};
    Cli cli;
    Work work;
    int status;
    work_init(&work, &cli);
    work.folder = g_strdup(".");
    RmilTrainOptions options;
    rmil_train_options_init(&options);
    const GOptionEntry own[] = {
        {"splits", 0, 0, G_OPTION_ARG_FILENAME, &options.splits, rmil_train_option_find("splits")->help,
         rmil_train_option_find("splits")->unit},
        {0},
    };
    g_autofree GOptionEntry *tiles = work_tile_entries(&work), *labels = work_label_entries(&work);
    const CliGroup groups[] = {{"The table", own}, {"Tiles", tiles}, {"Annotations", labels}, {NULL, NULL}};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) {
        work_clear(&work);
        rmil_train_options_clear(&options);
        return status;
    }
    GError *error = NULL;
    if (!work_open_table(&work, argv[1], &error)) {
        work_clear(&work);
        rmil_train_options_clear(&options);
        return cli_fail(&cli, error);
    }
    int64_t n = work.cohort->count;
    Checking c = {.work = &work, .mpp = g_new0(double, n), .dim = g_new0(int64_t, n), .annotated = g_new0(gboolean, n)};
    for (int64_t i = 0; i < n; i++) c.mpp[i] = -1;
    g_mutex_init(&c.lock);
    examine_features(&work);
    rmil_parallel(n, cli.threads, check_task, &c, NULL);
    g_mutex_clear(&c.lock);
    report_cohort(&cli, &c, &options);
    report_table(&cli, work.cohort, &options);
    report_mpp(&cli, &c, n);
    work_say_resolutions(&work, c.mpp);
    report_dims(&cli, &c, n);
    const guint warnings = json_array_get_length(cli.warnings);
    if (!json_array_get_length(cli.problems) && warnings) cli_say(&cli, "no errors, but %u warning%s", warnings, warnings > 1 ? "s" : "");
    else if (!json_array_get_length(cli.problems)) cli_say(&cli, "nothing wrong was found");
    g_free(c.mpp);
    g_free(c.dim);
    g_free(c.annotated);
    work_clear(&work);
    rmil_train_options_clear(&options);
    return cli_done(&cli);
}
