/* SPDX-License-Identifier: Apache-2.0 */
/* Cohorts of slides. */
#include "rankmil/annotation.h"
#include "support.h"
#include "synth/synth-private.h"

#include <glib/gstdio.h>
#include <libxml/parser.h>
#include <math.h>
#include <openslide/openslide.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static RmilSynthOptions tiny(void) {
    RmilSynthOptions options;
    rmil_synth_options_init(&options);
    options.slides = 3;
    options.width = 900;
    options.height = 800;
    options.seed = 3;
    options.threads = 1;
    return options;
}

/* -- plan --------------------------------------------------------------------------------------------------------------- */
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Largest distance between the shares' distribution and the fitted log-normal, where neither is cut off. */
static double distance_from_lognormal(double *shares, int64_t n, double least) {
    double worst = 0;
    qsort(shares, (size_t)n, sizeof *shares, by_value);
    for (int64_t i = 0; i < n; i++) {
        if (shares[i] <= least || shares[i] >= 0.98 * RMIL_SYNTH_SHARE_MAX) continue;
        double cdf = 0.5 * erfc(-(log(shares[i]) - RMIL_SYNTH_SHARE_MU) / RMIL_SYNTH_SHARE_SIGMA / sqrt(2));
        worst = MAX(worst, MAX(fabs((double)(i + 1) / (double)n - cdf), fabs((double)i / (double)n - cdf)));
    }
    return worst;
}

static void test_plan(void) {
    for (int64_t slides = 1; slides <= 200; slides = slides * 3 + 1) {
        RmilSynthOptions options = tiny();
        options.slides = slides;
        g_autofree RmilSynthPlan *plans = rmil_synth_plan(&options);
        g_autoptr(GHashTable) patients = g_hash_table_new(g_str_hash, g_str_equal);
        g_autofree double *shares = g_new0(double, slides);
        int64_t positive = 0, test = 0, test_positive = 0;
        for (int64_t i = 0; i < slides; i++) {
            const RmilSynthPlan *plan = &plans[i];
            g_assert_cmpint(plan->label, ==, plan->share > 0);
            if (plan->label) shares[positive++] = plan->share;
            test += plan->test;
            test_positive += plan->test && plan->label;
            gpointer before = g_hash_table_lookup(patients, plan->patient), now = GINT_TO_POINTER(plan->test ? 2 : 1);
            g_assert_true(!before || before == now);
            g_hash_table_insert(patients, (gpointer)plan->patient, now);
        }
        g_assert_cmpint(positive, ==, llround(0.4 * (double)slides));
        if (slides < 40) continue;
        g_assert_cmpfloat(fabs((double)test / (double)slides - 0.33), <, 0.06);
        g_assert_cmpfloat(fabs((double)test_positive / (double)positive - 0.33), <, 0.09);
        g_assert_cmpuint(g_hash_table_size(patients), <, (guint)slides);
        g_assert_cmpfloat(distance_from_lognormal(shares, positive, 0), <, 1.01 / (double)positive);
    }
}

static void test_options(void) {
    static const struct {
        RmilSynthOptions options;
        const char *message;
    } cases[] = {{{.slides = 0, .width = 900, .height = 900, .mpp = 0.5}, "slides"},
                 {{.slides = 1, .width = 90, .height = 900, .mpp = 0.5}, "width"},
                 {{.slides = 1, .width = 900, .height = 1000000, .mpp = 0.5}, "height"},
                 {{.slides = 1, .width = 900, .height = 900, .mpp = NAN}, "mpp"},
                 {{.slides = 1, .width = 900, .height = 900, .mpp = 0.5, .positive = 1.5}, "positive"},
                 {{.slides = 1, .width = 900, .height = 900, .mpp = 0.5, .test = -1}, "test"}};
    g_autofree char *folder = test_folder();
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        g_assert_false(rmil_synth_write(folder, &cases[i].options, NULL, &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, cases[i].message);
    }
}

/* -- lesions ------------------------------------------------------------------------------------------------------------- */
static gboolean inside_polygon(const GArray *polygon, double x, double y) {
    const double *xy = (const double *)(void *)polygon->data;
    gboolean inside = FALSE;
    for (guint i = 0, n = polygon->len / 2, j = n - 1; i < n; j = i++) {
        if ((xy[2 * i + 1] > y) == (xy[2 * j + 1] > y)) continue;
        if (x < (xy[2 * j] - xy[2 * i]) * (y - xy[2 * i + 1]) / (xy[2 * j + 1] - xy[2 * i + 1]) + xy[2 * i]) inside = !inside;
    }
    return inside;
}

static gboolean annotated(const RmilSynthAnatomy *map, double x, double y) {
    gboolean lesion = FALSE, hole = FALSE;
    for (guint i = 0; i < map->lesions->len; i++) {
        const RmilSynthLesion *l = &g_array_index(map->lesions, RmilSynthLesion, i);
        if (inside_polygon(l->polygon, x, y)) *(l->exclusion ? &hole : &lesion) = TRUE;
    }
    return lesion && !hole;
}

static double annotated_share(const RmilSynthAnatomy *map) {
    double area = 0, box[4] = {1e9, 1e9, 0, 0};
    for (guint i = 0; i < map->lesions->len; i++) {
        const GArray *polygon = g_array_index(map->lesions, RmilSynthLesion, i).polygon;
        for (guint k = 0; k < polygon->len; k++) {
            double v = g_array_index(polygon, double, k);
            box[k % 2] = MIN(box[k % 2], v);
            box[2 + k % 2] = MAX(box[2 + k % 2], v);
        }
    }
    double step = MAX(box[2] - box[0], box[3] - box[1]) / 150;
    for (double y = box[1] + step / 2; y < box[3]; y += step)
        for (double x = box[0] + step / 2; x < box[2]; x += step) area += annotated(map, x, y);
    return step * step * area / ((double)(map->box[2] - map->box[0]) * (double)(map->box[3] - map->box[1]));
}

/* Every tumour cell lies inside the line, little else does; the area is the wanted one; shares follow Camelyon16's. */
static void test_lesions(void) {
    RmilSynthOptions options = tiny();
    options.slides = 24;
    options.positive = 1;
    options.width = options.height = 3600;
    g_autofree RmilSynthPlan *plans = rmil_synth_plan(&options);
    double shares[24], least = 0;
    int exclusions = 0, several = 0;
    for (int64_t i = 0; i < options.slides; i++) {
        GError *error = NULL;
        g_autoptr(RmilSynthAnatomy) map = rmil_synth_anatomy_new(&options, &plans[i], &error);
        g_assert_no_error(error);
        g_assert_cmpuint(map->lesions->len, >=, 1);
        several += map->lesions->len > 1;
        int64_t tumour = 0, lesion_cells = 0, in_line = 0, tissue = 0;
        for (int64_t cell = 0; cell < map->width * map->height; cell++) {
            uint8_t kind = map->kind[cell];
            tissue += kind != RMIL_SYNTH_GLASS;
            double x = ((double)(cell % map->width) + 0.5) * RMIL_SYNTH_CELL, y = ((double)(cell / map->width) + 0.5) * RMIL_SYNTH_CELL;
            gboolean lesion = kind == RMIL_SYNTH_TUMOUR || kind == RMIL_SYNTH_SEPTUM || kind == RMIL_SYNTH_NECROSIS;
            gboolean line = (lesion || cell % 7 == 0) && annotated(map, x, y);
            g_assert_true(line || !lesion);
            tumour += kind == RMIL_SYNTH_TUMOUR;
            lesion_cells += lesion && cell % 7 == 0;
            in_line += line && cell % 7 == 0;
        }
        g_assert_cmpint(tumour, >=, 30);
        g_assert_cmpint(tissue, >, map->width * map->height / 5);
        if (in_line > 100) g_assert_cmpfloat((double)lesion_cells, >, 0.5 * (double)in_line);
        for (guint k = 0; k < map->lesions->len; k++) {
            const RmilSynthLesion *l = &g_array_index(map->lesions, RmilSynthLesion, k);
            exclusions += l->exclusion;
            g_assert_cmpuint(l->polygon->len / 2, >=, 20);
            g_assert_cmpuint(l->polygon->len / 2, <=, 200);
        }
        shares[i] = map->share;
        least = MAX(least, 1.05 * G_PI * 70 * 70 / ((double)(map->box[2] - map->box[0]) * (double)(map->box[3] - map->box[1])));
        g_assert_cmpfloat(fabs(annotated_share(map) - map->share), <, 0.04 * map->share + 1e-5);
        if (plans[i].share > least) g_assert_cmpfloat(fabs(map->share / plans[i].share - 1), <, 0.15);
    }
    g_assert_cmpfloat(distance_from_lognormal(shares, options.slides, least), <, 0.12);
    g_assert_cmpint(several, >, 4);
    g_assert_cmpint(exclusions, >, 0);
}

/* -- files --------------------------------------------------------------------------------------------------------------- */
static void same_files(const char *a, const char *b) {
    const char *names[] = {"cohort.csv", "slides/slide_001.tiff", "slides/slide_002.tiff", "slides/slide_003.tiff"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) { test_same_in(a, b, names[i]); }
}

static void check_slide(const char *folder, const RmilSynthPlan *plan) {
    g_autofree char *name = g_strdup_printf("%s/slides/%s.tiff", folder, plan->id);
    openslide_t *slide = openslide_open(name);
    g_assert_nonnull(slide);
    g_assert_null(openslide_get_error(slide));
    int64_t w, h;
    openslide_get_level0_dimensions(slide, &w, &h);
    g_assert_cmpint(w, ==, plan->width);
    g_assert_cmpint(h, ==, plan->height);
    g_assert_cmpint(openslide_get_level_count(slide), >=, 3);
    g_assert_cmpfloat(fabs(openslide_get_level_downsample(slide, 1) - 2), <, 0.01);
    g_assert_cmpstr(openslide_get_property_value(slide, OPENSLIDE_PROPERTY_NAME_VENDOR), ==, "generic-tiff");
    g_assert_cmpstr(openslide_get_property_value(slide, "tiff.ResolutionUnit"), ==, "centimeter");
    g_assert_cmpfloat(fabs(10000 / g_ascii_strtod(openslide_get_property_value(slide, "tiff.XResolution"), NULL) - 0.5), <, 1e-4);
    g_autofree uint32_t *argb = g_new(uint32_t, (gsize)(w * h));
    openslide_read_region(slide, argb, 0, 0, 0, w, h);
    g_assert_null(openslide_get_error(slide));
    int64_t white = 0, violet = 0;
    for (int64_t i = 0; i < w * h; i++) {
        int r = argb[i] >> 16 & 255, g = argb[i] >> 8 & 255, b = argb[i] & 255;
        white += MIN(MIN(r, g), b) > 228;
        violet += b > g + 20 && g < 160;
    }
    g_assert_cmpint(white, >, w * h / 5);
    g_assert_cmpint(violet, >, w * h / 10);
    openslide_close(slide);
}

static void check_annotation(const char *folder, const RmilSynthOptions *options, const RmilSynthPlan *plan) {
    g_autofree char *name = g_strdup_printf("%s/annotations/%s.xml", folder, plan->id);
    g_assert_cmpint(g_file_test(name, G_FILE_TEST_EXISTS), ==, plan->label);
    if (!plan->label) return;
    GError *error = NULL;
    g_autoptr(RmilSynthAnatomy) map = rmil_synth_anatomy_new(options, plan, &error);
    xmlDoc *document = xmlReadFile(name, NULL, 0);
    g_assert_nonnull(document);
    xmlNode *root = xmlDocGetRootElement(document), *list = xmlFirstElementChild(root);
    g_assert_cmpstr((const char *)root->name, ==, "ASAP_Annotations");
    g_assert_cmpstr((const char *)list->name, ==, "Annotations");
    g_assert_cmpuint(xmlChildElementCount(list), ==, map->lesions->len);
    xmlNode *coordinates = xmlFirstElementChild(xmlFirstElementChild(list));
    const RmilSynthLesion *lesion = &g_array_index(map->lesions, RmilSynthLesion, 0);
    g_assert_cmpuint(xmlChildElementCount(coordinates), ==, lesion->polygon->len / 2);
    xmlChar *x = xmlGetProp(xmlFirstElementChild(coordinates), (const xmlChar *)"X");
    g_assert_cmpfloat(fabs(g_ascii_strtod((const char *)x, NULL) - g_array_index(lesion->polygon, double, 0)), <, 1e-6);
    xmlFree(x);
    xmlFreeDoc(document);
}

static void count_progress(gpointer user, const char *what, int64_t done, int64_t total) {
    int *calls = user;
    g_assert_cmpint(done, ==, ++*calls);
    g_assert_cmpint(total, ==, 3);
}

/* One cohort made by one thread, again by three: the same bytes; then one slide is lost and made again. */
static void test_write(void) {
    g_autofree char *one = test_folder(), *three = test_folder();
    RmilSynthOptions options = tiny();
    int calls = 0;
    RmilMonitor monitor = {.progress = count_progress, .user = &calls};
    GError *error = NULL;
    rmil_synth_write(one, &options, &monitor, &error);
    g_assert_no_error(error);
    g_assert_cmpint(calls, ==, 3);
    options.threads = 3;
    rmil_synth_write(three, &options, NULL, &error);
    g_assert_no_error(error);
    same_files(one, three);

    g_autofree RmilSynthPlan *plans = rmil_synth_plan(&options);
    for (int64_t i = 0; i < options.slides; i++) {
        check_slide(one, &plans[i]);
        check_annotation(one, &options, &plans[i]);
    }
    g_autofree char *cohort = g_build_filename(one, "cohort.csv", NULL);
    g_autoptr(RmilTable) table = rmil_table_read(cohort, &error);
    g_assert_no_error(error);
    g_assert_cmpint(rmil_table_rows(table), ==, 3);
    for (int64_t i = 0; i < 3; i++) {
        double label, share;
        g_assert_true(rmil_table_number(table, i, rmil_table_find(table, "label"), &label, NULL));
        g_assert_true(rmil_table_number(table, i, rmil_table_find(table, "lesion_share"), &share, NULL));
        g_assert_cmpint(label > 0, ==, share > 0);
        g_assert_cmpint(label > 0, ==, *rmil_table_cell(table, i, rmil_table_find(table, "annotation")) != '\0');
    }

    g_autofree char *kept = g_build_filename(three, "slides", "slide_001.tiff", NULL),
                    *lost = g_build_filename(three, "slides", "slide_002.tiff", NULL);
    GStatBuf before, after;
    g_assert_cmpint(g_stat(kept, &before), ==, 0);
    g_assert_cmpint(g_unlink(lost), ==, 0);
    rmil_synth_write(three, &options, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_stat(kept, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino);
    same_files(one, three);

    options.seed++;
    g_assert_false(rmil_synth_write(three, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "slide_001.tiff: already exists but was made with other options (");
}

/* -- the folders of public data sets ---------------------------------------------------------------------------------------- */
static double region_area(const char *path, const RmilSynthPlan *plan) {
    RmilAnnotationOptions options;
    GError *error = NULL;
    rmil_annotation_options_init(&options);
    options.slide_width = plan->width;
    options.slide_height = plan->height;
    g_autoptr(RmilRegion) region = rmil_region_read(path, &options, &error);
    g_assert_no_error(error);
    return rmil_region_area(region);
}

static RmilSynthPlan *write_layout(const char *folder, const RmilSynthOptions *options) {
    GError *error = NULL;
    rmil_synth_write(folder, options, NULL, &error);
    g_assert_no_error(error);
    const RmilSynthLayout *layout = rmil_synth_layout(options->layout, &error);
    RmilSynthPlan *plans = rmil_synth_plan(options);
    layout->rename(plans, options->slides);
    for (int64_t i = 0; i < options->slides; i++) {
        g_autofree char *slide = rmil_synth_layout_slide(layout, folder, &plans[i]),
                        *truth = rmil_synth_layout_truth(layout, folder, &plans[i]);
        g_assert_true(g_file_test(slide, G_FILE_TEST_EXISTS));
        g_assert_cmpint(g_file_test(truth, G_FILE_TEST_EXISTS), ==, plans[i].label);
    }
    g_autofree char *cohort = g_build_filename(folder, "cohort.csv", NULL);
    g_assert_false(g_file_test(cohort, G_FILE_TEST_EXISTS));
    return plans;
}

/* Both data sets' folders from one plan: masks and outlines enclose the same area, and a stopped run goes on. */
static void test_layouts(void) {
    g_autofree char *camelyon = test_folder(), *digest = test_folder();
    RmilSynthOptions options = tiny();
    options.slides = 5;
    options.positive = 0.6;
    options.test = 0.4;
    options.threads = 2;
    options.layout = "camelyon16";
    g_autofree RmilSynthPlan *outlined = write_layout(camelyon, &options);
    g_autofree char *reference = g_build_filename(camelyon, "testing", "reference.csv", NULL),
                    *first = g_build_filename(camelyon, "training", "tumor", "tumor_001.tif", NULL);
    char *text = NULL;
    g_assert_true(g_file_get_contents(reference, &text, NULL, NULL));
    g_assert_true(g_str_has_prefix(text, "test_001,"));
    g_free(text);
    g_assert_true(g_file_test(first, G_FILE_TEST_EXISTS));

    options.layout = "digestpath";
    g_autofree RmilSynthPlan *masked = write_layout(digest, &options);
    GError *error = NULL;
    const RmilSynthLayout *xml = rmil_synth_layout("camelyon16", &error), *jpeg = rmil_synth_layout("digestpath", &error);
    int compared = 0;
    for (int64_t i = 0; i < options.slides; i++) {
        if (!outlined[i].label) continue;
        g_autofree char *outline = rmil_synth_layout_truth(xml, camelyon, &outlined[i]),
                        *mask = rmil_synth_layout_truth(jpeg, digest, &masked[i]);
        double a = region_area(outline, &outlined[i]), b = region_area(mask, &masked[i]);
        g_assert_cmpfloat(fabs(a / b - 1), <, 0.02);
        compared++;
        g_assert_cmpint(g_unlink(mask), ==, 0);
    }
    g_assert_cmpint(compared, ==, 3);
    g_autofree RmilSynthPlan *again = write_layout(digest, &options);
    options.layout = "elsewhere";
    g_assert_false(rmil_synth_write(digest, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "no layout \"elsewhere\"; choose one of rankmil, camelyon16, digestpath");
}

static void test_no_place(void) {
    g_autofree char *folder = test_folder(), *file = test_file(folder, "file", "x"), *below = g_build_filename(file, "cohort", NULL);
    RmilSynthOptions options = tiny();
    GError *error = NULL;
    g_assert_false(rmil_synth_write(below, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_IO, "cannot make the folder");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit = {20000, 0};
    getrlimit(RLIMIT_FSIZE, &before);
    limit.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    gboolean written = rmil_synth_write(folder, &options, NULL, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    g_assert_false(written);
    test_error(&error, RMIL_ERROR_IO, "cannot be written");
    g_autofree char *slides = g_build_filename(folder, "slides", NULL), *cohort = g_build_filename(folder, "cohort.csv", NULL);
    g_assert_false(g_file_test(cohort, G_FILE_TEST_EXISTS));
    GDir *dir = g_dir_open(slides, 0, NULL);
    g_assert_true(!dir || !g_dir_read_name(dir));
    if (dir) g_dir_close(dir);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/synth/plan", test_plan);
    g_test_add_func("/synth/options", test_options);
    g_test_add_func("/synth/lesions", test_lesions);
    g_test_add_func("/synth/write", test_write);
    g_test_add_func("/synth/layouts", test_layouts);
    g_test_add_func("/synth/no-place", test_no_place);
    return g_test_run();
}
