/* SPDX-License-Identifier: Apache-2.0 */
/* Slides of cohorts with other tasks than 0 and 1: subtypes of tumour, times, numbers, patients, sites. */
#include "rankmil/annotation.h"
#include "support.h"
#include "synth/synth-private.h"

#include <math.h>
#include <string.h>

static RmilSynthOptions tiny(int64_t slides) {
    RmilSynthOptions options;
    rmil_synth_options_init(&options);
    options.slides = slides;
    options.width = 900;
    options.height = 800;
    options.seed = 3;
    options.threads = 1;
    return options;
}

/* Classes in equal parts, of which the test set has its share; lesions from a fifteenth of the largest share up to it. */
static void test_plan(void) {
    for (int classes = 2; classes <= 6; classes++) {
        RmilSynthOptions options = tiny(92);
        options.task.classes = classes;
        g_autofree RmilSynthPlan *plans = rmil_synth_plan(&options);
        int sizes[2][6] = {{0}};
        double least = 1, most = 0;
        for (int64_t i = 0; i < options.slides; i++) {
            const RmilSynthPlan *plan = &plans[i];
            g_assert_cmpint(plan->subtype, ==, plan->label);
            g_assert_cmpint(plan->label > 0, ==, plan->share > 0);
            sizes[plan->test][plan->label]++;
            if (!plan->label) continue;
            least = MIN(least, plan->share);
            most = MAX(most, plan->share);
        }
        for (int c = 0; c < classes; c++) {
            g_assert_cmpint(sizes[0][c] + sizes[1][c], >=, 92 / classes);
            g_assert_cmpint(sizes[0][c] + sizes[1][c], <=, 92 / classes + 1);
            g_assert_cmpfloat(fabs(sizes[1][c] - 0.33 * 92 / classes), <=, 2);
        }
        g_assert_cmpfloat(least, >=, RMIL_SYNTH_SHARE_MAX / 15);
        g_assert_cmpfloat(least, <, RMIL_SYNTH_SHARE_MAX / 12);
        g_assert_cmpfloat(most, <=, RMIL_SYNTH_SHARE_MAX);
        g_assert_cmpfloat(most, >, RMIL_SYNTH_SHARE_MAX / 1.3);
    }
}

/* A share of the patients has two slides, in one set, of one label and one share of lesion. */
static void test_patients(void) {
    static const double shares[] = {0, 0.25, 1};
    static const int pairs[] = {0, 20, 50};
    for (gsize s = 0; s < G_N_ELEMENTS(shares); s++) {
        RmilSynthOptions options = tiny(100);
        options.task.patients = shares[s];
        g_autofree RmilSynthPlan *plans = rmil_synth_plan(&options);
        int first[101] = {0}, second = 0;
        for (int64_t i = 0; i < 100; i++) {
            int *before = &first[plans[i].number];
            g_autofree char *name = g_strdup_printf("patient_%03d", plans[i].number);
            g_assert_cmpstr(plans[i].patient, ==, name);
            if (!*before) {
                *before = (int)i + 1;
                continue;
            }
            second++;
            const RmilSynthPlan *other = &plans[*before - 1];
            g_assert_cmpint(plans[i].label, ==, other->label);
            g_assert_cmpint(plans[i].test, ==, other->test);
            g_assert_cmpfloat(plans[i].share, ==, other->share);
        }
        g_assert_cmpint(second, ==, pairs[s]);
    }
}

/* Times that follow the share of lesion: patients die in the order of their risk, three pairs of four, three tenths are lost. */
static void test_survival(void) {
    RmilSynthOptions options = tiny(300);
    options.task.target = RMIL_SYNTH_SURVIVAL;
    g_autofree RmilSynthPlan *plans = rmil_synth_plan(&options);
    g_autofree double *shares = g_new(double, 300);
    int without = 0, events = 0, slides = 0;
    for (int64_t i = 0; i < 300; i++) {
        shares[i] = plans[i].share;
        without += plans[i].share == 0;
        g_assert_cmpint(plans[i].subtype, ==, 0);
    }
    g_assert_cmpint(without, ==, 60);
    g_autofree RmilSynthCase *cases = rmil_synth_plan_cases(plans, shares, 300, 5), *again = rmil_synth_plan_cases(plans, shares, 300, 6);
    double pairs = 0, right = 0, moved = 0;
    for (int i = 0; i < 300; i++) {
        g_assert_cmpfloat(fabs(cases[i].risk - 5 / RMIL_SYNTH_SHARE_MAX * shares[i]), <, 1e-9);
        g_assert_cmpfloat(cases[i].time, >=, 0.1);
        moved += fabs(cases[i].time - again[i].time);
        slides++;
        events += cases[i].event;
        for (int j = 0; j < 300; j++) {
            if (!cases[i].event || cases[i].time >= cases[j].time) continue;
            pairs++;
            right += cases[i].risk > cases[j].risk ? 1 : cases[i].risk == cases[j].risk ? 0.5 : 0;
        }
    }
    g_assert_cmpfloat(right / pairs, >, 0.75);
    g_assert_cmpfloat(fabs((double)events / slides - 0.7), <, 0.08);
    g_assert_cmpfloat(moved, >, 0);
}

/* Mean densities of the tumour of a slide whose lesions are of this subtype, and how many dark pixels it has. */
static void tumour_look(RmilSynthAtlas *atlas, RmilSynthPlan *plan, const RmilSynthOptions *options, int subtype, double look[3]) {
    GError *error = NULL;
    plan->subtype = plan->label = subtype;
    plan->share = 0.2;
    g_autoptr(RmilSynthAnatomy) map = rmil_synth_anatomy_new(options, plan, &error);
    g_assert_no_error(error);
    int64_t pixels = plan->width * plan->height;
    g_autofree uint8_t *h = g_malloc0((gsize)pixels), *e = g_malloc0((gsize)pixels);
    RmilSynthCanvas canvas = {plan->width, plan->height, h, e, NULL};
    rmil_synth_render(&canvas, map, atlas, plan, options->seed);
    double count = 0;
    look[0] = look[1] = look[2] = 0;
    for (int64_t i = 0; i < pixels; i++) {
        if (map->kind[i / plan->width / RMIL_SYNTH_CELL * map->width + i % plan->width / RMIL_SYNTH_CELL] != RMIL_SYNTH_TUMOUR) continue;
        count++;
        look[0] += h[i];
        look[1] += e[i];
        look[2] += 100 * (h[i] > 80);
    }
    g_assert_cmpfloat(count, >, 10000);
    for (int k = 0; k < 3; k++) look[k] /= count;
}

/* Every two subtypes differ in the mean of a stain by five levels, or in the share of dark pixels by five of a hundred. */
static void test_looks(void) {
    RmilSynthOptions options = tiny(1);
    options.width = options.height = 1200;
    options.task.classes = 6;
    GError *error = NULL;
    g_autoptr(RmilSynthAtlas) atlas = rmil_synth_atlas_new(3, 1, 6, 1, &error);
    g_assert_no_error(error);
    g_autofree RmilSynthPlan *plans = rmil_synth_plan(&options);
    double look[6][3];
    for (int subtype = 1; subtype <= 5; subtype++) tumour_look(atlas, plans, &options, subtype, look[subtype]);
    for (int a = 1; a <= 5; a++)
        for (int b = 1; b < a; b++) {
            double apart = 0;
            for (int k = 0; k < 3; k++) apart = MAX(apart, fabs(look[a][k] - look[b][k]));
            g_test_message("%d %d: %.1f", a, b, apart);
            g_assert_cmpfloat(apart, >, 5);
        }
}

/* Slides of a site are stained more alike than those of different sites. */
static void test_sites(void) {
    RmilSynthOptions options = tiny(60);
    options.task.sites = 6;
    options.task.patients = 0.2;
    g_autofree RmilSynthPlan *plans = rmil_synth_plan(&options);
    g_autofree double *mean = g_new0(double, 180);
    int sets[7] = {0};
    for (int i = 0; i < 60; i++) {
        GError *error = NULL;
        RmilSynthStain stain;
        g_assert_true(rmil_synth_stain_init(&stain, 1, &plans[i], &error));
        for (int k = 0; k < 256 * 100; k += 31)
            for (int c = 0; c < 3; c++) mean[3 * i + c] += stain.table[((k / 100) * 256 + k % 100) * 4 + c] * 31 / 25600.0;
        rmil_synth_stain_clear(&stain);
        g_assert_cmpint(plans[i].site, >=, 1);
        g_assert_cmpint(plans[i].site, <=, 6);
        sets[plans[i].site] |= 1 << plans[i].test;
        for (int j = 0; j < i; j++) g_assert_true(plans[i].number != plans[j].number || plans[i].site == plans[j].site);
    }
    double sum[2] = {0, 0}, count[2] = {0, 0};
    for (int i = 0; i < 60; i++)
        for (int j = 0; j < i; j++) {
            int same = plans[i].site == plans[j].site;
            count[same]++;
            for (int c = 0; c < 3; c++) sum[same] += fabs(mean[3 * i + c] - mean[3 * j + c]);
        }
    g_assert_cmpfloat(sum[0] / count[0], >, 1.3 * sum[1] / count[1]);
    for (int site = 1; site <= 6; site++) g_assert_cmpint(sets[site], ==, site <= 2 ? 2 : 1);
}

/* Words, groups of that name that count as lesion unasked, the same bytes from more threads; other tasks are refused there. */
static void test_write(void) {
    g_autofree char *one = test_folder(), *three = test_folder();
    RmilSynthOptions options = tiny(4);
    options.task.classes = 4;
    GError *error = NULL;
    rmil_synth_write(one, &options, NULL, &error);
    g_assert_no_error(error);
    options.threads = 3;
    rmil_synth_write(three, &options, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(RmilTable) table = test_rows(one, "cohort.csv");
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    test_same_in(one, three, "cohort.csv");
    for (int64_t i = 0; i < 4; i++) {
        const char *label = test_cell(table, i, "label"), *annotation = test_cell(table, i, "annotation");
        g_hash_table_add(seen, (gpointer)label);
        test_same_in(one, three, test_cell(table, i, "slide"));
        g_assert_cmpint(*annotation != '\0', ==, strcmp(label, "normal") != 0);
        if (!*annotation) continue;
        test_same_in(one, three, annotation);
        g_autofree char *text = test_bytes(one, annotation, NULL), *path = g_build_filename(one, annotation, NULL);
        g_autofree char *group = g_strdup_printf("PartOfGroup=\"%s\"", label),
                        *part = g_strdup_printf("<Group Name=\"%s\" PartOfGroup=\"Tumor\"", label);
        g_assert_cmpint(test_count(text, group), >=, 1);
        g_assert_cmpint(test_count(text, part), ==, 1);
        g_assert_cmpint(test_count(text, "PartOfGroup=\"_0\""), ==, 0);
        RmilAnnotationOptions reading;
        rmil_annotation_options_init(&reading);
        g_autoptr(RmilRegion) region = rmil_region_read(path, &reading, &error);
        g_assert_no_error(error);
        g_assert_cmpfloat(rmil_region_area(region), >, 5000);
    }
    static const char *const names[] = {"normal", "ductal", "lobular", "mucinous"};
    for (int c = 0; c < 4; c++) g_assert_true(g_hash_table_contains(seen, names[c]));
    options.task = (RmilSynthTask){.target = RMIL_SYNTH_SURVIVAL, .patients = RMIL_SYNTH_PATIENTS_USUAL};
    g_assert_false(rmil_synth_write(three, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "slide_001.tiff: already exists but was made with other options (");
}

/* Tables of times and of numbers, by the shares of lesion that were drawn. */
static void test_tables(void) {
    for (int number = 0; number < 2; number++) {
        g_autofree char *folder = test_folder();
        RmilSynthOptions options = tiny(4);
        options.task.target = number ? RMIL_SYNTH_NUMBER : RMIL_SYNTH_SURVIVAL;
        options.task.sites = 2;
        options.task.patients = 0;
        GError *error = NULL;
        rmil_synth_write(folder, &options, NULL, &error);
        g_assert_no_error(error);
        g_autofree char *text = test_bytes(folder, "cohort.csv", NULL);
        g_assert_true(g_str_has_prefix(text, number ? "id,slide,value,split,annotation,patient,lesion_share,site\n"
                                                    : "id,slide,time,event,true_risk,split,annotation,patient,lesion_share,site\n"));
        g_autoptr(RmilTable) table = test_rows(folder, "cohort.csv");
        for (int64_t i = 0; i < 4; i++) {
            double share = g_ascii_strtod(test_cell(table, i, "lesion_share"), NULL);
            double told = g_ascii_strtod(test_cell(table, i, number ? "value" : "true_risk"), NULL);
            g_assert_cmpfloat(fabs(told - (number ? 10 : 5) / RMIL_SYNTH_SHARE_MAX * share), <, number ? 2 : 1e-4);
            if (!number) g_assert_cmpfloat(g_ascii_strtod(test_cell(table, i, "time"), NULL), >=, 0.1);
        }
    }
}

static void test_options(void) {
    g_autofree char *folder = test_folder();
    RmilSynthOptions options = tiny(4);
    options.layout = "camelyon16";
    options.task.classes = 3;
    GError *error = NULL;
    g_assert_false(rmil_synth_write(folder, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--layout camelyon16: has only the labels 0 and 1: leave out the layout or the task");
    options.layout = "rankmil";
    options.task.classes = 7;
    g_assert_false(rmil_synth_write(folder, &options, NULL, &error));
    test_error(&error, RMIL_ERROR_ARGUMENT, "--classes 7: must be 2 … ");
    g_assert_cmpint(test_entries(folder, "."), ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/synth/subtypes/plan", test_plan);
    g_test_add_func("/synth/subtypes/patients", test_patients);
    g_test_add_func("/synth/subtypes/survival", test_survival);
    g_test_add_func("/synth/subtypes/looks", test_looks);
    g_test_add_func("/synth/subtypes/sites", test_sites);
    g_test_add_func("/synth/subtypes/write", test_write);
    g_test_add_func("/synth/subtypes/tables", test_tables);
    g_test_add_func("/synth/subtypes/options", test_options);
    return g_test_run();
}
