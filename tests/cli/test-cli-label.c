/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil label --preview on a small cohort made by `rankmil synth`. */
#include "command.h"

#include "rankmil/rankmil.h"

#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

static char *root;

/* The first annotated slide's FOLDER/ID.ENDING in work/. */
static char *product_in(const char *folder, const char *ending) {
    g_autofree char *path = g_build_filename(root, "cohort", "cohort.csv", NULL);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, NULL);
    g_assert_nonnull(cohort);
    for (int64_t i = 0; i < cohort->count; i++)
        if (cohort->rows[i].annotation) {
            g_autofree char *name = g_strconcat(cohort->rows[i].id, ending, NULL);
            return g_build_filename(root, "work", folder, name, NULL);
        }
    g_assert_not_reached();
}

static char *product(const char *ending) { return product_in("labels", ending); }

static void label(Outcome *o, const char *padding, const char *preview) {
    command_run(o, root, "label", "cohort/cohort.csv", "-o", "work", "--padding", padding, preview, NULL);
    command_expect(o, 0, "");
}

static void test_preview(void) {
    g_auto(Outcome) o = {0};
    command_run(&o, root, "synth", "cohort", "--slides", "2", "--width", "1300", "--height", "1100", "--positive", "0.5", "--seed", "3",
                NULL);
    command_expect(&o, 0, "");
    g_autofree char *picture = product(".png"), *labels = product(".h5");
    label(&o, "0", NULL);
    g_assert_true(g_file_test(labels, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(picture, G_FILE_TEST_EXISTS)); /* only when asked for */
    label(&o, "0", "--preview");
    g_assert_nonnull(strstr(o.out, "already there")); /* the labels are not made again for a picture */
    gsize plain_size, grown_size, again_size;
    g_autofree char *plain = test_bytes(NULL, picture, &plain_size);
    g_assert_true(plain_size > 1000 && memcmp(plain, "\x89PNG", 4) == 0);
    label(&o, "200", "--preview"); /* other labels, another picture */
    g_autofree char *grown = test_bytes(NULL, picture, &grown_size);
    g_assert_false(plain_size == grown_size && memcmp(plain, grown, plain_size) == 0);
    g_assert_cmpint(g_unlink(picture), ==, 0);
    label(&o, "200", "--preview");
    g_autofree char *again = test_bytes(NULL, picture, &again_size);
    g_assert_true(again_size == grown_size && memcmp(grown, again, grown_size) == 0);
    label(&o, "0", NULL); /* no picture of labels that are no more */
    g_assert_false(g_file_test(picture, G_FILE_TEST_EXISTS));
}

#define SQUARE(class, x)                                                                                                                   \
    "{\"type\":\"Feature\",\"properties\":{\"classification\":{\"name\":\"" class "\"}},\"geometry\":{\"type\":\"Polygon\","               \
                                                                                  "\"coordinates\":[[[" x "00,100],[" x "50,100],[" x      \
                                                                                  "50,150],[" x "00,150]]]}}"

static int count(const char *text, const char *part) {
    int n = 0;
    for (; (text = strstr(text, part)); text++) n++;
    return n;
}

/* What an annotation's file leaves out, and a lesion on a slide that is called negative: said by check and label (as by run), once. */
static void test_said(void) {
    g_auto(Outcome) o = {0};
    g_autofree char *path = g_build_filename(root, "cohort", "cohort.csv", NULL);
    g_autoptr(RmilCohort) cohort = rmil_cohort_read(path, NULL);
    g_assert_nonnull(cohort);
    g_autofree char *table = g_strdup_printf("id,slide,label,annotation\na,%s,0,a.geojson\nb,%s,1,\n", cohort->rows[0].slide,
                                             cohort->rows[1].slide);
    g_free(test_file(root, "said.csv", table));
    g_free(test_file(root, "a.geojson", "[" SQUARE("Tumors", "1") "," SQUARE("Tumor", "2") "]"));
    const char *const commands[][6] = {{"check", "said.csv", "--padding=9"},
                                       {"label", "said.csv", "-o", "said", "--preview", "--padding=9"}};
    command_run(&o, root, "tile", "said.csv", "-o", "said", NULL);
    command_expect(&o, 0, "");
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        const char *const *c = commands[i];
        command_run(&o, root, c[0], c[1], c[2], c[3], c[4], c[5], NULL);
        command_expect(&o, i == 0 ? 1 : 0,
                       "a.geojson: left out, because their group or class is neither a lesion nor an exclusion "
                       "(--lesion and --exclude name others)");
        g_assert_cmpint(count(o.err, "\"Tumors\""), ==, 1);
        g_assert_cmpint(count(o.err, "a: has label 0, but "), ==, 1);
    }
    command_run(&o, root, "label", "said.csv", "-o", "other", "--json", NULL);
    command_expect(&o, 0, "a: has label 0, but ");
    g_assert_nonnull(strstr(o.out, "Tumors")); /* in "warnings" */
}

/* A picture of the mask without the outlines, for they could not be read, is not done. */
static void test_mask_without_outline(void) {
    g_auto(Outcome) o = {0};
    g_autofree char *picture = product_in("masks", ".png"), *cohort = g_build_filename(root, "cohort", "cohort.csv", NULL);
    g_autoptr(RmilCohort) rows = rmil_cohort_read(cohort, NULL);
    const char *annotation = NULL;
    for (int64_t i = 0; i < rows->count && !annotation; i++) annotation = rows->rows[i].annotation;
    gsize size, again_size, outline_size;
    g_autofree char *outline = test_bytes(NULL, annotation, &outline_size);
    g_autofree char *with = test_bytes(NULL, picture, &size);
    const struct utimbuf long_ago = {1000000000, 1000000000};
    g_assert_true(g_file_set_contents(annotation, "{", -1, NULL));
    command_run(&o, root, "tile", "cohort/cohort.csv", "-o", "work", NULL);
    command_expect(&o, 0, "is not drawn, because the annotation cannot be read:");
    g_assert_false(g_file_test(picture, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_set_contents(annotation, outline, (gssize)outline_size, NULL));
    g_assert_cmpint(g_utime(annotation, (struct utimbuf *)&long_ago), ==, 0); /* as if only reading it had failed */
    command_run(&o, root, "tile", "cohort/cohort.csv", "-o", "work", NULL);
    command_expect(&o, 0, "");
    g_autofree char *again = test_bytes(NULL, picture, &again_size);
    g_assert_true(again_size == size && memcmp(with, again, size) == 0);
}

/* A product that cannot be read is made again, and that is said. */
static void test_made_again(void) {
    g_auto(Outcome) o = {0};
    g_autofree char *labels = product(".h5");
    g_assert_true(g_file_set_contents(labels, "damaged", -1, NULL));
    label(&o, "0", NULL);
    g_assert_nonnull(strstr(o.err, "it is made again"));
    label(&o, "0", NULL);
    g_assert_null(strstr(o.err, "it is made again"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    root = test_folder();
    g_test_add_func("/cli/label/preview", test_preview);
    g_test_add_func("/cli/label/said", test_said);
    g_test_add_func("/cli/label/mask-without-outline", test_mask_without_outline);
    g_test_add_func("/cli/label/made-again", test_made_again);
    int status = g_test_run();
    g_free(root);
    return status;
}
