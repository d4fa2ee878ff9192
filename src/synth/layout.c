/* SPDX-License-Identifier: Apache-2.0 */
/* The folders in which a cohort is written. */
#include "synth-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The folders and tables in which a cohort is written: rankmil's own, or those of a public data set, so that its readers can be tried
 * without it (docs/synth.md). */

/* -- rankmil ------------------------------------------------------------------------------------------------------------ */
static gboolean write_cohort(const char *folder, const RmilSynthOptions *o, const RmilSynthPlan *plans, const double *shares,
                             GError **error) {
    g_autofree RmilSynthCase *cases = rmil_synth_plan_cases(plans, shares, o->slides, o->seed);
    g_autofree char *header = g_strconcat("id,slide,", rmil_synth_task_columns(&o->task), ",split,annotation,patient,lesion_share",
                                          o->task.sites ? ",site" : "", NULL);
    g_autoptr(RmilCsv) csv = rmil_csv_new(header);
    for (int64_t i = 0; i < o->slides; i++) {
        const RmilSynthPlan *plan = &plans[i];
        g_autofree char *slide = g_strdup_printf("slides/%s.tiff", plan->id), *outlines = g_strdup_printf("annotations/%s.xml", plan->id);
        rmil_csv_text(csv, plan->id);
        rmil_csv_text(csv, slide);
        rmil_synth_task_cells(&o->task, csv, &cases[i]);
        rmil_csv_text(csv, plan->test ? "test" : "");
        rmil_csv_text(csv, plan->label ? outlines : "");
        rmil_csv_text(csv, plan->patient);
        rmil_csv_number(csv, "%.6f", shares[i]);
        if (o->task.sites) rmil_synth_site_cell(csv, plan->site);
        rmil_csv_end(csv);
    }
    g_autofree char *path = g_build_filename(folder, "cohort.csv", NULL);
    return rmil_csv_write(csv, path, error);
}

/* -- Camelyon16, as the challenge published it ---------------------------------------------------------------------------- */
static void name_camelyon16(RmilSynthPlan *plans, int64_t count) {
    int64_t normal = 0, tumor = 0, test = 0;
    for (int64_t i = 0; i < count; i++) {
        RmilSynthPlan *plan = &plans[i];
        const char *kind = plan->test ? "test" : plan->label ? "tumor" : "normal";
        int64_t number = plan->test ? ++test : plan->label ? ++tumor : ++normal;
        g_snprintf(plan->id, sizeof plan->id, "%s_%03" G_GINT64_FORMAT, kind, number);
    }
}

/* No header; the data set's own table has two more columns, the tumour's type and size. */
static gboolean write_reference(const char *folder, const RmilSynthOptions *o, const RmilSynthPlan *plans, const double *shares,
                                GError **error) {
    g_autoptr(RmilCsv) csv = rmil_csv_new(NULL);
    for (int64_t i = 0; i < o->slides; i++) {
        if (!plans[i].test) continue;
        rmil_csv_text(csv, plans[i].id);
        rmil_csv_text(csv, plans[i].label ? "Tumor" : "Normal");
        rmil_csv_end(csv);
    }
    g_autofree char *path = g_build_filename(folder, "testing", "reference.csv", NULL);
    return rmil_csv_rows(csv) == 0 || rmil_csv_write(csv, path, error);
}

/* -- DigestPath2019: labels are folders, no test set ------------------------------------------------------------------------ */
static void name_digestpath(RmilSynthPlan *plans, int64_t count) {
    for (int64_t i = 0; i < count; i++) plans[i].test = FALSE;
}

static const RmilSynthLayout layouts[] = {
    {.name = "rankmil",
     .slides = {{"slides", "slides"}, {"slides", "slides"}},
     .slide_suffix = ".tiff",
     .truths = {"annotations", "annotations"},
     .truth_suffix = ".xml",
     .finish = write_cohort},
    {.name = "camelyon16",
     .slides = {{"training/normal", "training/tumor"}, {"testing/images", "testing/images"}},
     .slide_suffix = ".tif",
     .truths = {"training/lesion_annotations", "testing/lesion_annotations"},
     .truth_suffix = ".xml",
     .rename = name_camelyon16,
     .finish = write_reference},
    {.name = "digestpath",
     .slides = {{"tissue-train-neg", "tissue-train-pos-v1"}, {"tissue-train-neg", "tissue-train-pos-v1"}},
     .slide_suffix = ".jpg",
     .truths = {"tissue-train-pos-v1", "tissue-train-pos-v1"},
     .truth_suffix = "_mask.jpg",
     .jpeg = TRUE,
     .rename = name_digestpath},
};

const RmilSynthLayout *rmil_synth_layout(const char *name, GError **error) {
    g_autoptr(GString) known = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(layouts); i++) {
        if (strcmp(layouts[i].name, name ? name : layouts[0].name) == 0) return &layouts[i];
        g_string_append_printf(known, "%s%s", i ? ", " : "", layouts[i].name);
    }
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "there is no layout \"%s\"; choose one of %s", name, known->str);
    return NULL;
}

static char *join(const char *folder, const char *sub, const char *id, const char *suffix) {
    g_autofree char *name = g_strconcat(id, suffix, NULL);
    return g_build_filename(folder, sub, name, NULL);
}

char *rmil_synth_layout_slide(const RmilSynthLayout *layout, const char *folder, const RmilSynthPlan *plan) {
    return join(folder, layout->slides[plan->test][plan->label > 0], plan->id, layout->slide_suffix);
}

char *rmil_synth_layout_truth(const RmilSynthLayout *layout, const char *folder, const RmilSynthPlan *plan) {
    return join(folder, layout->truths[plan->test], plan->id, layout->truth_suffix);
}

/* -- masks ---------------------------------------------------------------------------------------------------------------- */
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Pixels whose centre lies inside the polygon (even-odd). */
static void fill(uint8_t *mask, int64_t width, int64_t height, const GArray *polygon, uint8_t value) {
    const double *xy = (const double *)(void *)polygon->data;
    int64_t n = polygon->len / 2;
    g_autofree double *crossings = g_new(double, n + 1);
    for (int64_t row = 0; row < height; row++) {
        double y = (double)row + 0.5;
        int64_t count = 0;
        for (int64_t i = 0, j = n - 1; i < n; j = i++) {
            const double *a = xy + 2 * j, *b = xy + 2 * i;
            if ((a[1] > y) != (b[1] > y)) crossings[count++] = a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
        }
        qsort(crossings, (size_t)count, sizeof *crossings, by_value);
        for (int64_t k = 0; k + 1 < count; k += 2) {
            int64_t from = MAX(0, (int64_t)ceil(crossings[k] - 0.5));
            int64_t to = MIN(width, (int64_t)ceil(crossings[k + 1] - 0.5));
            if (to > from) memset(mask + row * width + from, value, (size_t)(to - from));
        }
    }
}

static gboolean write_mask(const RmilSynthAnatomy *anatomy, const RmilSynthPlan *plan, const char *identity, const char *path,
                           GError **error) {
    uint8_t *mask = rmil_alloc(plan->width * plan->height, 1, error);
    if (!mask) return FALSE;
    for (guint i = 0; i < anatomy->lesions->len; i++) { /* an exclusion follows the lesion that it is cut out of */
        const RmilSynthLesion *lesion = &g_array_index(anatomy->lesions, RmilSynthLesion, i);
        fill(mask, plan->width, plan->height, lesion->polygon, lesion->exclusion ? 0 : 255);
    }
    gboolean written = rmil_synth_jpeg_write(mask, plan->width, plan->height, 1, identity, path, error);
    rmil_free(mask);
    return written;
}

gboolean rmil_synth_layout_write_truth(const RmilSynthLayout *layout, const RmilSynthAnatomy *anatomy, const RmilSynthPlan *plan,
                                       const char *identity, const char *path, GError **error) {
    if (layout->jpeg) return write_mask(anatomy, plan, identity, path, error);
    g_autofree char *xml = rmil_synth_asap(anatomy, plan->subtype);
    return rmil_file_write(path, xml, strlen(xml), error);
}
