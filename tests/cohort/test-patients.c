/* SPDX-License-Identifier: Apache-2.0 */
/* Patients of several slides: as groups, as rows, as one bag; sites that stay whole. */
#include "bag/make.h"
#include "base/base-private.h"
#include "rankmil/cohort.h"

#include <glib/gstdio.h>
#include <string.h>

enum { DIM = 8, SLIDES = 7, PATCHES = 175 };

static RmilCohort *read_in(const char *folder, const char *text, gboolean by_site) {
    g_autofree char *path = test_file(folder, "cohort.csv", text);
    const RmilReading how = {.by_site = by_site};
    GError *error = NULL;
    RmilCohort *cohort = rmil_cohort_read_as(path, &how, &error);
    g_assert_no_error(error);
    return cohort;
}

static RmilCohort *read_text(const char *text, gboolean by_site) {
    static char *folder;
    if (!folder) folder = test_folder();
    return read_in(folder, text, by_site);
}

static void test_groups(void) {
    g_autoptr(RmilCohort) cohort = read_text("slide,patient\na.svs,p\nb.svs,\nc.svs,q\nd.svs,p\ne.svs,\n", FALSE);
    int64_t groups[5];
    g_assert_cmpint(rmil_cohort_patients(cohort, groups), ==, 4);
    static const int64_t expected[] = {0, 1, 2, 0, 3};
    for (int i = 0; i < 5; i++) g_assert_cmpint(groups[i], ==, expected[i]);
}

static void test_by_patient(void) {
    GError *error = NULL;
    g_autoptr(RmilCohort) slides = read_text("slide,label,patient,split,annotation,site\na.svs,,p,,x.xml,s\nb.svs,tumor,,test,b.xml,\n"
                                             "c.svs,normal,p,train,,r\nd.svs,,q,,,\n",
                                             FALSE);
    g_autoptr(RmilCohort) patients = rmil_cohort_by_patient(slides, &error);
    g_assert_no_error(error);
    g_assert_cmpint(patients->count, ==, 3);
    g_assert_true(rmil_task_equal(&patients->task, &slides->task));
    const RmilCohortRow *rows = patients->rows;
    g_assert_cmpstr(rows[0].id, ==, "p");
    g_assert_cmpstr(rows[0].site, ==, "r");
    g_assert_cmpint(rows[0].target.label, ==, 0);
    g_assert_cmpint(rows[0].split, ==, RMIL_SPLIT_TRAIN);
    g_assert_null(rows[0].slide);
    g_assert_cmpint(rows[0].members->len, ==, 2);
    g_assert_cmpint(g_array_index(rows[0].members, int64_t, 1), ==, 2);
    g_assert_cmpstr(rows[1].id, ==, "b");
    g_assert_null(rows[1].patient);
    g_assert_cmpstr(rows[1].slide, ==, slides->rows[1].slide);
    g_assert_cmpstr(rows[1].annotation, ==, slides->rows[1].annotation);
    g_assert_cmpint(rows[2].target.label, ==, -1);
    int64_t of[4];
    static const int64_t expected[] = {0, 1, 0, 2};
    rmil_cohort_bag_rows(patients, of);
    for (int i = 0; i < 4; i++) g_assert_cmpint(of[i], ==, expected[i]);
    const struct {
        const char *text, *message;
    } wrong[] = {
        {"slide,label,patient\na.svs,0,p\nb.svs,1,p\n",
         "a patient cannot be one bag when the slides differ in what is predicted: \"p\" (lines 2 and 3)"},
        {"slide,time,event,patient\na.svs,2,0,p\nb.svs,3,0,p\n", "\"p\" (lines 2 and 3)"},
        {"slide,patient\na.svs,b\nb.svs,\n", "lines 2 and 3: \"b\" is both a patient and the id of a slide without a patient: rename "
                                             "one of them"},
        {"slide,patient\na.svs,x/y\n", "line 2: patient \"x/y\" cannot be used as a file name, as --bag patient needs: use no "
                                       "slashes and a shorter name"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(RmilCohort) bad = read_text(wrong[i].text, FALSE);
        g_assert_null(rmil_cohort_by_patient(bad, &error));
        test_error(&error, RMIL_ERROR_DATA, wrong[i].message);
    }
}

/* -- bags ------------------------------------------------------------------------------------------------------------------------ */
typedef struct {
    char *folder;
    RmilBag *bags[SLIDES];
    RmilCohort *slides, *patients; /* p: slides 0 and 2; slide 1 alone; q: 3 and 4; r: 5 and 6 */
} Fixture;

static void write_bag(const Fixture *f, int i) {
    g_autofree char *name = g_strdup_printf("s%d.h5", i), *path = g_build_filename(f->folder, name, NULL);
    GError *error = NULL;
    rmil_bag_write(f->bags[i], path, FALSE, &error);
    g_assert_no_error(error);
}

static void set_up(Fixture *f, gconstpointer data) {
    GError *error = NULL;
    f->folder = test_folder();
    for (int i = 0; i < SLIDES; i++) {
        f->bags[i] = make_bag(10 + 5 * i, DIM, RMIL_FLOAT32);
        write_bag(f, i);
    }
    f->slides = read_in(f->folder, "features,label,patient\ns0.h5,0,p\ns1.h5,1,\ns2.h5,0,p\ns3.h5,1,q\ns4.h5,1,q\ns5.h5,1,r\ns6.h5,1,r\n",
                        FALSE);
    f->patients = rmil_cohort_by_patient(f->slides, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer data) {
    for (int i = 0; i < SLIDES; i++) rmil_bag_free(f->bags[i]);
    rmil_cohort_free(f->patients);
    rmil_cohort_free(f->slides);
    g_free(f->folder);
}

static RmilBagSet *load(const Fixture *f, int64_t memory) {
    RmilBagSetOptions options;
    g_autofree char *cache = g_build_filename(f->folder, "cache", NULL);
    rmil_bag_set_options_init(&options);
    g_assert_cmpint(options.bag, ==, RMIL_BAG_SLIDE);
    options.memory = memory;
    options.cache = cache;
    options.threads = memory ? 1 : 2;
    GError *error = NULL;
    RmilBagSet *set = rmil_bag_set_load(f->patients, &options, NULL, &error);
    g_assert_no_error(error);
    return set;
}

/* Patches `from` on of the joined bag are a slide's: its features, labels and tissue, and its places but for where it lies. */
static void expect_part(const RmilBag *joined, int64_t from, const RmilBag *slide) {
    const size_t row = DIM * sizeof(float);
    g_assert_true(memcmp((char *)joined->features + (size_t)from * row, slide->features, (size_t)slide->count * row) == 0);
    for (int64_t i = 0; i < slide->count; i++) {
        g_assert_cmpint(joined->patch_labels[from + i], ==, slide->patch_labels ? slide->patch_labels[i] : 0);
        if (slide->tissue) g_assert_cmpfloat(joined->tissue[from + i], ==, slide->tissue[i]);
        for (int axis = 0; axis < 2; axis++)
            g_assert_cmpint(joined->coords[2 * (from + i) + axis] - joined->coords[2 * from + axis], ==,
                            slide->coords[2 * i + axis] - slide->coords[axis]);
    }
}

static void test_join(Fixture *f, gconstpointer data) {
    g_autoptr(RmilBagSet) set = load(f, 0);
    g_assert_cmpint(set->count, ==, 4);
    g_assert_cmpint(set->loaded, ==, 4);
    const RmilBag *joined = set->bags[0];
    g_assert_cmpstr(joined->id, ==, "p");
    g_assert_cmpint(joined->count, ==, 30);
    g_assert_cmpfloat(joined->patch_size_level0, ==, f->bags[0]->patch_size_level0);
    g_assert_cmpint(joined->slide_width, ==, 0);
    expect_part(joined, 0, f->bags[0]);
    expect_part(joined, 10, f->bags[2]);
    /* no region holds patches of both: they lie further apart than any is wide, and at a multiple of usual widths */
    int64_t right = 0, left = G_MAXINT64, corner = G_MAXINT64;
    for (int i = 0; i < 10; i++) {
        right = MAX(right, joined->coords[2 * i]);
        corner = MIN(corner, joined->coords[2 * i]);
    }
    for (int i = 10; i < 30; i++) left = MIN(left, joined->coords[2 * i]);
    g_assert_cmpfloat((double)(left - right), >, 4096 * joined->patch_size_level0);
    g_assert_cmpfloat((double)(left - corner), ==, 40320 * joined->patch_size_level0);
    g_assert_cmpint(set->bags[1]->count, ==, 15);
    compare_bags(set->bags[1], f->bags[1]);
}

/* One slide without labels has none; of slides without any there are none. Another scale becomes the first one's. */
static void test_differing(Fixture *f, gconstpointer data) {
    g_clear_pointer(&f->bags[2]->patch_labels, rmil_free);
    f->bags[2]->patch_size_level0 *= 2;
    for (int i = 0; i < 40; i++) f->bags[2]->coords[i] *= 2;
    f->bags[2]->slide_width *= 2;
    f->bags[2]->slide_height *= 2;
    write_bag(f, 2);
    g_autoptr(RmilBagSet) set = load(f, 0);
    for (int i = 0; i < 40; i++) f->bags[2]->coords[i] /= 2;
    expect_part(set->bags[0], 10, f->bags[2]);
    g_clear_pointer(&f->bags[0]->patch_labels, rmil_free);
    write_bag(f, 0);
    g_autoptr(RmilBagSet) none = load(f, 0);
    g_assert_null(none->bags[0]->patch_labels);
}

static void test_mapped(Fixture *f, gconstpointer data) {
    const int64_t little = PATCHES * 21 + 2 * 75 * DIM * 4 + 10; /* for the largest patient in the making, and no more */
    g_autoptr(RmilBagSet) whole = load(f, 0), mapped = load(f, little), again = load(f, little);
    g_assert_true(mapped->bags[0]->mapped && again->bags[0]->mapped);
    for (int i = 0; i < 4; i++) {
        compare_bags(mapped->bags[i], whole->bags[i]);
        compare_bags(again->bags[i], whole->bags[i]);
    }
    ((float *)f->bags[2]->features)[3] = 7; /* one slide of the patient has changed */
    write_bag(f, 2);
    g_autoptr(RmilBagSet) changed = load(f, little);
    g_assert_true(changed->bags[0]->mapped);
    expect_part(changed->bags[0], 10, f->bags[2]);
}

static void test_broken(Fixture *f, gconstpointer data) {
    g_autofree char *path = g_build_filename(f->folder, "s2.h5", NULL);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_autoptr(RmilBagSet) set = load(f, 0);
    g_assert_cmpint(set->loaded, ==, 3);
    g_assert_null(set->bags[0]);
    g_assert_nonnull(strstr(set->errors[0], "slide \"s2\" of \"p\": "));
    g_assert_nonnull(strstr(set->errors[0], "s2.h5: cannot be opened"));
    rmil_bag_free(f->bags[2]);
    f->bags[2] = make_bag(3, 16, RMIL_FLOAT32);
    write_bag(f, 2);
    g_autoptr(RmilBagSet) wide = load(f, 0);
    g_assert_nonnull(strstr(wide->errors[0], "slide \"s2\" of \"p\": has features of size 16, but slide \"s0\" has size 8"));
}

/* -- sets ------------------------------------------------------------------------------------------------------------------------ */
static char *sites_text(void) {
    GString *text = g_string_new("slide,label,patient,site\n");
    for (int i = 0; i < 60; i++) g_string_append_printf(text, "%02d.svs,%d,p%d,s%d\n", i, i % 2, i / 2, i / 6);
    return g_string_free(text, FALSE);
}

static void expect_whole(const RmilCohort *cohort, const RmilSplit *splits) {
    for (int64_t i = 0; i < cohort->count; i++)
        for (int64_t k = 0; k < i; k++)
            if (strcmp(cohort->rows[i].site, cohort->rows[k].site) == 0) g_assert_cmpint(splits[i], ==, splits[k]);
}

static void test_sites(void) {
    g_autofree char *text = sites_text();
    g_autoptr(RmilCohort) cohort = read_text(text, TRUE), usual = read_text(text, FALSE);
    g_assert_null(cohort->notes[0]);
    g_assert_nonnull(strstr(usual->notes[0], "a site may be in several sets (--by-site keeps each site in one)"));
    GError *error = NULL;
    const int64_t seeds[] = {0, 1, 2, 3};
    g_autoptr(GArray) drawn = rmil_repeats_draw(cohort, 0.2, 0.2, seeds, 4, &error),
                      folds = rmil_repeats_fold(cohort, 5, 0.2, seeds, 1, &error),
                      parted = rmil_repeats_draw(usual, 0.2, 0.2, seeds, 1, &error);
    g_assert_no_error(error);
    for (guint r = 0; r < 4; r++) expect_whole(cohort, g_array_index(drawn, RmilRepeat, r).splits);
    for (guint r = 0; r < 5; r++) expect_whole(cohort, g_array_index(folds, RmilRepeat, r).splits);
    gboolean whole = TRUE; /* without --by-site only patients are */
    for (int i = 1; i < 60; i++)
        whole = whole &&
                (i % 6 == 0 || g_array_index(parted, RmilRepeat, 0).splits[i] == g_array_index(parted, RmilRepeat, 0).splits[i - 1]);
    g_assert_false(whole);
    g_assert_null(rmil_repeats_fold(cohort, 11, 0.2, seeds, 1, &error));
    test_error(&error, RMIL_ERROR_DATA, "cannot be divided into 11 folds: it has only 10 sites");
}

/* A patient in two sites joins them, as slides and as one bag. */
static void test_joined_sites(void) {
    g_autofree char *text = sites_text();
    g_autoptr(GString) joined = g_string_new(text);
    g_string_replace(joined, "59.svs,1,p29,s9", "59.svs,1,p0,s9", 1);
    g_string_replace(joined, "58.svs,0,p29,s9", "58.svs,1,p29,s9", 1);
    for (int i = 0; i < 60; i += 2) { /* one class a patient */
        g_autofree char *a = g_strdup_printf("%02d.svs,0", i), *b = g_strdup_printf("%02d.svs,%d", i, i / 2 % 2);
        g_autofree char *c = g_strdup_printf("%02d.svs,1", i + 1), *d = g_strdup_printf("%02d.svs,%d", i + 1, i / 2 % 2);
        g_string_replace(joined, a, b, 1);
        g_string_replace(joined, c, d, 1);
    }
    g_string_replace(joined, "59.svs,1,p0", "59.svs,0,p0", 1);
    g_autoptr(RmilCohort) cohort = read_text(joined->str, TRUE);
    GError *error = NULL;
    const int64_t seeds[] = {0, 1, 2, 3, 4, 5};
    g_autoptr(RmilCohort) patients = rmil_cohort_by_patient(cohort, &error);
    g_assert_no_error(error);
    g_autoptr(GArray) drawn = rmil_repeats_draw(cohort, 0, 0.3, seeds, 6, &error),
                      of_patients = rmil_repeats_draw(patients, 0, 0.3, seeds, 6, &error);
    g_assert_no_error(error);
    int64_t rows[60];
    rmil_cohort_bag_rows(patients, rows);
    for (guint r = 0; r < 6; r++) {
        RmilSplit expanded[60];
        for (int i = 0; i < 60; i++) expanded[i] = g_array_index(of_patients, RmilRepeat, r).splits[rows[i]];
        expect_whole(cohort, g_array_index(drawn, RmilRepeat, r).splits);
        expect_whole(cohort, expanded);
        g_assert_cmpint(g_array_index(drawn, RmilRepeat, r).splits[0], ==, g_array_index(drawn, RmilRepeat, r).splits[58]);
        g_assert_cmpint(expanded[0], ==, expanded[58]);
    }
}

static void test_bad_sites(void) {
    static const char text[] = "slide,label,site,split\na.svs,0,x,train\nb.svs,1,x,test\n";
    g_autoptr(RmilCohort) usual = read_text(text, FALSE);
    g_autofree char *folder = test_folder(), *path = test_file(folder, "cohort.csv", text),
                    *none = test_file(folder, "none.csv", "slide\na.svs\n");
    const RmilReading how = {.by_site = TRUE};
    GError *error = NULL;
    g_assert_null(rmil_cohort_read_as(path, &how, &error));
    test_error(&error, RMIL_ERROR_FORMAT,
               "line 3: split puts site \"x\" into test, line 2 into train: a site must stay in one set (--by-site)");
    g_assert_null(rmil_cohort_read_as(none, &how, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "line 1: there is no column named site, which --by-site needs");
    /* sites x and y share patient q, whose own slides are still to be drawn */
    g_autofree char *shared = test_file(
        folder, "shared.csv", "slide,label,patient,site,split\na.svs,0,p,x,train\nb.svs,1,q,x,\nc.svs,1,q,y,\nd.svs,0,r,y,test\n");
    g_assert_null(rmil_cohort_read_as(shared, &how, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "line 5: split puts site \"y\" into test, line 2 site \"x\" into train, but they share patients");
    g_autoptr(RmilCohort) apart = rmil_cohort_read(shared, &error);
    g_assert_no_error(error);
    g_autoptr(RmilCohort) cohort = read_text("slide,label,site\na.svs,0,x\nb.svs,1,x\n", TRUE);
    g_autofree char *splits = test_file(folder, "splits.csv", "id,one\na,train\nb,test\n");
    g_assert_null(rmil_split_table_read(splits, cohort, &error));
    test_error(&error, RMIL_ERROR_DATA, "splits.csv: column one: site \"x\" is in two sets, train and test");
}

/* Slides without a site are no site of their own making: that is said, of those that are divided. */
static void test_no_site(void) {
    static const char text[] = "slide,label,site\na.svs,0,x\nb.svs,1,\nc.svs,,\nd.svs,1,\n";
    g_autoptr(RmilCohort) whole = read_text("slide,label,site\na.svs,0,x\nc.svs,,\n", TRUE), some = read_text(text, TRUE),
                          usual = read_text(text, FALSE);
    g_assert_null(whole->notes[0]);
    g_assert_true(g_str_has_suffix(some->notes[0], ": 2 slides have no site (line 3, …): for these, only patients are kept together"));
    g_assert_null(usual->notes[1]);
}

/* Tables of splits name slides, whatever a bag is. */
static void test_tables(void) {
    g_autoptr(GString) text = g_string_new("slide,label,patient\n");
    for (int i = 0; i < 40; i++) g_string_append_printf(text, "%02d.svs,%d,p%d\n", i, i / 2 % 2, i / 2);
    g_autoptr(RmilCohort) slides = read_text(text->str, FALSE);
    GError *error = NULL;
    g_autoptr(RmilCohort) patients = rmil_cohort_by_patient(slides, &error);
    const int64_t seeds[] = {3};
    g_autoptr(GArray) folds = rmil_repeats_fold(patients, 4, 0.25, seeds, 1, &error);
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "folds.csv", NULL);
    g_assert_true(rmil_repeats_write(patients, folds, path, &error));
    g_autoptr(GArray) back = rmil_repeats_read(patients, path, &error), of_slides = rmil_repeats_read(slides, path, &error);
    g_assert_no_error(error);
    for (guint r = 0; r < 4; r++)
        for (int i = 0; i < 40; i++) {
            g_assert_cmpint(g_array_index(back, RmilRepeat, r).splits[i / 2], ==, g_array_index(folds, RmilRepeat, r).splits[i / 2]);
            g_assert_cmpint(g_array_index(of_slides, RmilRepeat, r).splits[i], ==, g_array_index(folds, RmilRepeat, r).splits[i / 2]);
        }
    g_autofree char *torn = test_file(folder, "torn.csv", "id,one\n00,train\n01,test\n");
    g_assert_null(rmil_repeats_read(patients, torn, &error));
    test_error(&error, RMIL_ERROR_DATA, "torn.csv: column one: patient \"p0\" is in two sets, train and test");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/patients/groups", test_groups);
    g_test_add_func("/patients/rows", test_by_patient);
    g_test_add("/patients/join", Fixture, NULL, set_up, test_join, tear_down);
    g_test_add("/patients/differing", Fixture, NULL, set_up, test_differing, tear_down);
    g_test_add("/patients/mapped", Fixture, NULL, set_up, test_mapped, tear_down);
    g_test_add("/patients/broken", Fixture, NULL, set_up, test_broken, tear_down);
    g_test_add_func("/patients/sites", test_sites);
    g_test_add_func("/patients/joined-sites", test_joined_sites);
    g_test_add_func("/patients/bad-sites", test_bad_sites);
    g_test_add_func("/patients/no-site", test_no_site);
    g_test_add_func("/patients/tables", test_tables);
    return g_test_run();
}
