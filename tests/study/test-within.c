/* SPDX-License-Identifier: Apache-2.0 */
/* A part of each annotation: rmil_vary_within, and studies that vary it. */
#include "studies.h"
#include "study/vary-data.h"

#include <math.h>
#include <string.h>

enum { SIDE = 40 };

/* A slide of SIDE × SIDE tiles with three foci: 6 × 5, 1 and 2 × 2 tiles. */
typedef struct {
    RmilBag bag;
    int64_t coords[2 * SIDE * SIDE];
    uint8_t labels[SIDE * SIDE];
    int64_t focus[SIDE * SIDE]; /* 0 … 2, −1 */
} Foci;

static const struct { int x, y, width, height; } foci[3] = {{3, 3, 6, 5}, {20, 4, 1, 1}, {30, 30, 2, 2}};
enum { ANNOTATED = 35 };

static void make_foci(Foci *f) {
    memset(f, 0, sizeof *f);
    f->bag = (RmilBag){.count = SIDE * SIDE, .coords = f->coords, .patch_size_level0 = 448};
    for (int i = 0; i < SIDE * SIDE; i++) {
        const int x = i % SIDE, y = i / SIDE;
        f->coords[2 * i] = 512 + 448 * x;
        f->coords[2 * i + 1] = 64 + 448 * y;
        f->focus[i] = -1;
        for (int n = 0; n < 3; n++)
            if (x >= foci[n].x && x < foci[n].x + foci[n].width && y >= foci[n].y && y < foci[n].y + foci[n].height) f->focus[i] = n;
        f->labels[i] = f->focus[i] >= 0;
    }
}

static uint8_t *part_of(const Foci *f, const char *id, double share, int64_t seed) {
    GError *error = NULL;
    uint8_t *out = g_malloc(SIDE * SIDE);
    g_assert_true(rmil_vary_within(&f->bag, id, f->labels, share, seed, out, &error));
    g_assert_no_error(error);
    return out;
}

static double apart(const Foci *f, int i, int j) {
    return hypot((double)(f->coords[2 * i] - f->coords[2 * j]), (double)(f->coords[2 * i + 1] - f->coords[2 * j + 1]));
}

/* Is there a patch of the focus (−1: of all) around which the part is a disc: whatever stays is no further than whatever goes? */
static gboolean is_compact(const Foci *f, const uint8_t *part, int64_t focus) {
    for (int middle = 0; middle < SIDE * SIDE; middle++) {
        double inner = 0, outer = INFINITY;
        for (int i = 0; i < SIDE * SIDE && part[middle]; i++) {
            if (f->focus[i] < 0 || (focus >= 0 && f->focus[i] != focus)) continue;
            if (part[i]) inner = fmax(inner, apart(f, middle, i));
            else outer = fmin(outer, apart(f, middle, i));
        }
        if (part[middle] && (focus < 0 || f->focus[middle] == focus) && inner <= outer) return TRUE;
    }
    return FALSE;
}

static void test_foci(void) {
    static const double shares[] = {0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.9, 1};
    g_autofree Foci *f = g_new(Foci, 1);
    make_foci(f);
    int first_whole[3] = {0};
    for (int64_t seed = 0; seed < 40; seed++) {
        g_autofree uint8_t *less = g_new0(uint8_t, SIDE * SIDE);
        for (gsize s = 0; s < G_N_ELEMENTS(shares); s++) {
            uint8_t *part = part_of(f, "slide", shares[s], seed);
            int kept = 0, of[3] = {0}, broken = 0;
            for (int i = 0; i < SIDE * SIDE; i++) {
                g_assert_true(part[i] <= f->labels[i] && part[i] >= less[i]); /* a part, and nested */
                kept += part[i];
                if (part[i]) of[f->focus[i]]++;
            }
            g_assert_cmpint(kept, ==, (int)fmax(1, floor(shares[s] * ANNOTATED + 0.5)));
            for (int n = 0; n < 3; n++) {
                const int whole = foci[n].width * foci[n].height;
                broken += of[n] > 0 && of[n] < whole;
                g_assert_true(of[n] == 0 || is_compact(f, part, n));
                if (s == 1) first_whole[n] += of[n] > 0;
            }
            g_assert_cmpint(broken, <=, 1);
            g_free(less);
            less = part;
        }
    }
    for (int n = 0; n < 3; n++) g_assert_cmpint(first_whole[n], >, 3); /* each is the first of some draws */
}

/* The slide's id and the seed draw, nothing else does. */
static void test_draws(void) {
    g_autofree Foci *f = g_new(Foci, 1);
    make_foci(f);
    g_autofree uint8_t *a = part_of(f, "a", 0.1, 1), *again = part_of(f, "a", 0.1, 1), *b = part_of(f, "b", 0.1, 1),
                       *other = part_of(f, "a", 0.1, 2);
    g_assert_true(memcmp(a, again, SIDE * SIDE) == 0);
    g_assert_false(memcmp(a, b, SIDE * SIDE) == 0);
    g_assert_false(memcmp(a, other, SIDE * SIDE) == 0);
}

/* Patches at free places, and without places: one lesion, of which what lies nearest stays. */
static void test_no_grid(void) {
    g_autofree Foci *f = g_new(Foci, 1);
    make_foci(f);
    f->coords[1] += 200;
    int cut = 0;
    for (int64_t seed = 0; seed < 20; seed++) {
        g_autofree uint8_t *part = part_of(f, "slide", 32.0 / 35, seed);
        int of[3] = {0};
        for (int i = 0; i < SIDE * SIDE; i++)
            if (part[i]) of[f->focus[i]]++;
        g_assert_cmpint(of[0] + of[1] + of[2], ==, 32);
        g_assert_true(is_compact(f, part, -1));
        cut += of[0] == 30 && of[1] == 1 && of[2] == 1; /* never on a grid in the order small, large, middle */
    }
    g_assert_cmpint(cut, >, 0);
    f->bag.coords = NULL;
    for (int64_t seed = 0; seed < 10; seed++) {
        g_autofree uint8_t *near = part_of(f, "slide", 0.2, seed);
        int first = -1, last = -1, kept = 0, between = 0;
        for (int i = 0; i < SIDE * SIDE; i++) {
            if (near[i] && first < 0) first = i;
            if (near[i]) last = i;
            kept += near[i];
        }
        for (int i = first; i <= last; i++) between += f->labels[i];
        g_assert_cmpint(kept, ==, 7);
        g_assert_cmpint(between, ==, 7); /* no annotated patch between them goes */
    }
}

static void test_small(void) {
    int64_t coords[] = {5, 5, 15, 5};
    RmilBag bag = {.count = 1, .coords = coords, .patch_size_level0 = 10};
    const uint8_t both[] = {1, 1}, none[] = {0, 0};
    uint8_t out[] = {7, 7};
    g_assert_true(rmil_vary_within(&bag, "s", both, 0.05, 0, out, NULL));
    g_assert_true(out[0] == 1 && out[1] == 7);
    bag.count = 2;
    g_assert_true(rmil_vary_within(&bag, "s", both, 0.5, 0, out, NULL));
    g_assert_cmpint(out[0] + out[1], ==, 1);
    g_assert_true(rmil_vary_within(&bag, "s", none, 0.5, 0, out, NULL));
    g_assert_cmpint(out[0] + out[1], ==, 0);
}

/* -- of a cohort ------------------------------------------------------------------------------------------------------------- */
static RmilTrainData *load(RmilCohort **cohort) {
    GError *error = NULL;
    RmilTrainOptions options;
    rmil_train_options_init(&options);
    g_autofree char *path = g_build_filename(studies_cohort(), "cohort.csv", NULL);
    *cohort = rmil_cohort_read(path, &error);
    g_assert_no_error(error);
    RmilTrainData *data = rmil_train_data_load(*cohort, &options, NULL, 1, NULL, &error);
    g_assert_no_error(error);
    return data;
}

static int64_t annotated_in(const uint8_t *labels, int64_t k) {
    int64_t n = 0;
    for (int64_t i = 0; labels && i < k; i++) n += labels[i];
    return n;
}

/* Acts on what the other variables leave or grow, of slides in training and validation. */
static void test_variant(void) {
    RmilCohort *cohort;
    RmilTrainData *data = load(&cohort);
    GError *error = NULL;
    g_autoptr(RmilGrown) grown = rmil_grown_new(data, 500, NULL, &error);
    g_assert_no_error(error);
    g_autofree gboolean *kept = g_new0(gboolean, data->count);
    g_autofree RmilSplit *splits = g_new0(RmilSplit, data->count);
    for (int64_t i = 0; i < data->count; i++) {
        splits[i] = i % 3 == 0 ? RMIL_SPLIT_TEST : i % 3 == 1 ? RMIL_SPLIT_VAL : RMIL_SPLIT_TRAIN;
        kept[i] = i % 2 == 0;
    }
    const RmilAnnotating how = {grown, kept, 0.3, 5};
    RmilVariant variant;
    g_assert_true(rmil_variant_init(&variant, data, splits, &how, &error));
    int64_t parts = 0;
    for (int64_t i = 0; i < data->count; i++) {
        const RmilBag *bag = variant.bags[i], *own = data->bags[i];
        g_assert_true(bag->features == own->features);
        if (splits[i] == RMIL_SPLIT_TEST) g_assert_true(bag->patch_labels == own->patch_labels);
        else if (data->targets[i].label == 1 && !kept[i]) g_assert_null(bag->patch_labels);
        else if (data->targets[i].label == 1) {
            const int64_t all = annotated_in(grown->labels[i], own->count), some = annotated_in(bag->patch_labels, own->count);
            g_assert_cmpint(some, ==, (int64_t)fmax(1, floor(0.3 * (double)all + 0.5)));
            for (int64_t k = 0; k < own->count; k++) g_assert_true(bag->patch_labels[k] <= grown->labels[i][k]);
            parts++;
        }
    }
    g_assert_cmpint(parts, >, 2);
    rmil_variant_clear(&variant);
    rmil_train_data_free(data);
    rmil_cohort_free(cohort);
}

static RmilStudy *run(const RmilTrainData *data, const char *folder, const char *text) {
    g_autofree char *path = test_file(folder, "plan.yaml", text);
    GError *error = NULL;
    g_autoptr(RmilStudyPlan) plan = rmil_study_plan_read(path, NULL, &error);
    g_assert_no_error(error);
    RmilTrainOptions base;
    rmil_train_options_init(&base);
    const RmilStudyOptions options = {.folder = folder, .threads = 2};
    RmilStudyOutcome outcome;
    g_assert_true(rmil_study_execute(plan, data, &base, &options, NULL, &outcome, &error));
    g_assert_no_error(error);
    g_assert_cmpint(outcome.left, ==, 0);
    rmil_study_outcome_clear(&outcome);
    RmilStudy *study = rmil_study_open(folder, &error);
    g_assert_no_error(error);
    return study;
}

/* All of each lesion is as if nothing varied; less is another training, of rank and not of abmil, with another identity. */
static void test_study(void) {
    RmilCohort *cohort;
    RmilTrainData *data = load(&cohort);
    g_autofree char *folder = test_folder(), *other = test_folder();
    g_autoptr(RmilStudy) study = run(data, folder,
                                     "study: comparison\nmethods: [abmil, rank]\nvary: [annotated-within, annotated]\n"
                                     "values: [[1, 0.1], [1, 0.5]]\nseeds: [4]\nsettings: {epochs: 4}\n"),
                         plain = run(data, other,
                                     "study: annotated-fraction\nmethods: [abmil, rank]\nvalues: [1, 0.5]\nseeds: [4]\n"
                                     "settings: {epochs: 4}\n");
    const char *sha[8];
    for (int i = 0; i < 8; i++) sha[i] = rmil_study_run(study, i)->sha256;
    for (int i = 1; i < 4; i++) g_assert_cmpstr(sha[i], ==, sha[0]); /* abmil */
    for (int i = 4; i < 8; i++)
        for (int j = 4; j < i; j++) g_assert_cmpstr(sha[i], !=, sha[j]);
    g_assert_cmpstr(sha[0], ==, rmil_study_run(plain, 0)->sha256);
    g_assert_cmpstr(sha[4], ==, rmil_study_run(plain, 2)->sha256);
    g_assert_cmpstr(sha[5], ==, rmil_study_run(plain, 3)->sha256);
    g_autofree char *title = rmil_study_run_title(rmil_study_run(study, 7));
    g_assert_cmpstr(title, ==, "rank, annotated-within 0.1, annotated 0.5, seed 4");
    g_assert_nonnull(strstr(rmil_study_run(study, 7)->config, "within 0.1\""));
    g_assert_null(strstr(rmil_study_run(study, 4)->config, "within 1\""));
    rmil_train_data_free(data);
    rmil_cohort_free(cohort);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/within/foci", test_foci);
    g_test_add_func("/within/draws", test_draws);
    g_test_add_func("/within/no-grid", test_no_grid);
    g_test_add_func("/within/small", test_small);
    g_test_add_func("/within/variant", test_variant);
    g_test_add_func("/within/study", test_study);
    return g_test_run();
}
