/* SPDX-License-Identifier: Apache-2.0 */
/* The fully supervised system by the command, from slides to the page: a narrow network and few tiles. Killed and begun again it ends in
 * the same bytes; slides that cannot be read are left out with a word; what is kept says of a slide what the run said. */
#include "../slide/make-slide.h"
#include "command.h"
#include "rankmil/present.h"

#include <glib/gstdio.h>
#include <string.h>

#define RUN                                                                                                                                \
    " cohort/cohort.csv --methods supervised,abmil --cnn-width 16 --tile-batch 8 --epochs-tiles 4 --val-tiles 8 --epochs 2 --warmup 1 "    \
    "--patience 2 --learning-rate 0.001 --heatmaps 1"

static char *root;

static void make_cohort(void) {
    g_auto(Outcome) o = {0};
    root = test_folder();
    command_run(&o, root, "synth", "cohort", "--slides", "10", "--width", "1400", "--height", "1000", "--test", "0.3", "-q", NULL);
    command_expect(&o, 0, "");
}

static void test_run(void) {
    g_auto(Outcome) o = {0};
    command_shell(&o, root, "$RANKMIL run -o run" RUN);
    command_expect(&o, 0, "patch-cnn starts from random numbers: give the weights of a ResNet-50 with --cnn-weights FILE");
    g_assert_nonnull(strstr(o.out, "report"));
    g_autofree char *page = test_bytes(root, "run/report.html", NULL);
    g_assert_nonnull(strstr(page, "Fully supervised"));
    g_assert_true(test_exists(root, "run/runs/supervised/0/localisation.csv"));
    /* one slide as asked, and all that a method gets wrong: a picture, its key and its tiles each, and the folder of tiles */
    g_autofree char *run = g_build_filename(root, "run", NULL);
    g_auto(GStrv) wrong = rmil_report_mistakes(run, NULL);
    g_assert_nonnull(wrong);
    const int drawn = test_entries(root, "run/heatmaps/supervised/tiles");
    g_assert_cmpint(test_entries(root, "run/heatmaps/supervised"), ==, 2 * drawn + 1);
    g_assert_cmpint(drawn, >=, MAX((int)g_strv_length(wrong), 1));
    g_assert_cmpint(drawn, <=, (int)g_strv_length(wrong) + 1);
    command_shell(&o, root, "$RANKMIL run -o run" RUN);
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "2 already there"));
    /* a slide again, from the slide alone */
    g_autofree char *folder = g_build_filename(root, "run/runs/supervised/0", NULL);
    g_autoptr(RmilTable) said = test_rows(folder, "predictions.csv");
    command_shell(&o, root, "$RANKMIL predict run/runs/supervised/0 cohort/slides/slide_002.tiff -o again");
    command_expect(&o, 0, "");
    g_autofree char *other = g_build_filename(root, "again", NULL);
    g_autoptr(RmilTable) again = test_rows(other, "predictions.csv");
    g_assert_cmpstr(test_cell(again, 0, "id"), ==, "slide_002");
    for (int64_t i = 0; i < rmil_table_rows(said); i++)
        if (strcmp(test_cell(said, i, "id"), "slide_002") == 0)
            g_assert_cmpstr(test_cell(said, i, "probability"), ==, test_cell(again, 0, "probability"));
    g_assert_false(test_exists(root, "again/features/slide_002.h5")); /* nothing was encoded */
    command_shell(&o, root, "$RANKMIL predict run/runs/supervised/0 --with run/runs/abmil/0 cohort/slides/slide_002.tiff -o mixed");
    command_expect(&o, 1, "one model reads pixels and the other features: use two separate calls");
}

/* Killed while it trains. */
static void test_killed(void) {
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "cp -r run killed && rm -r killed/runs killed/models killed/study.sqlite && "
                  "$RANKMIL run -o killed" RUN " >/dev/null 2>&1 & p=$!; "
                  "for i in $(seq 300); do ls killed/checkpoints/* >/dev/null 2>&1 && break; sleep 0.1; done; kill -9 $p; wait $p; "
                  "$RANKMIL run -o killed" RUN);
    command_expect(&o, 0, "");
    g_autofree char *one = g_build_filename(root, "run/runs/supervised/0", NULL),
                    *two = g_build_filename(root, "killed/runs/supervised/0", NULL);
    static const char *const files[] = {"model.safetensors", "history.csv", "predictions.csv", "localisation.csv"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) test_same_in(one, two, files[i]);
}

static void test_broken(void) {
    g_auto(Outcome) o = {0};
    command_shell(&o, root,
                  "mv cohort/slides/slide_003.tiff aside.tiff && "
                  "head -c 9000 aside.tiff > cohort/slides/slide_003.tiff && "
                  "$RANKMIL train run/cohort.csv -o broken --model patch-cnn --cnn-width 16 --tile-batch 8 --epochs-tiles 4 "
                  "--val-tiles 8 --epochs 1 --warmup 1 && mv aside.tiff cohort/slides/slide_003.tiff");
    command_expect(&o, 0, "slide_003 is left out by patch-cnn, which reads pixels: ");
    g_autofree char *folder = g_build_filename(root, "broken", NULL);
    g_autoptr(RmilTable) said = test_rows(folder, "predictions.csv");
    g_assert_cmpint(rmil_table_rows(said), ==, 9);
    for (int64_t i = 0; i < rmil_table_rows(said); i++) g_assert_cmpstr(test_cell(said, i, "id"), !=, "slide_003");
    /* another slide in its place */
    command_shell(&o, root,
                  "cp cohort/slides/slide_003.tiff aside.tiff && $RANKMIL synth other --slides 2 --width 900 --height 700 -q && "
                  "cp other/slides/slide_001.tiff cohort/slides/slide_003.tiff && "
                  "$RANKMIL train run/cohort.csv -o replaced --model patch-cnn --cnn-width 16 --tile-batch 8 --epochs-tiles 4 "
                  "--val-tiles 8 --epochs 1 --warmup 1 && mv aside.tiff cohort/slides/slide_003.tiff");
    command_expect(&o, 0, "px: it is another slide or was replaced: encode it again");
    /* a slide of which a part is damaged: trained without it, and nothing is said of the slide */
    g_autofree char *slide = g_build_filename(root, "cohort/slides/slide_003.tiff", NULL);
    for (int tile = 7; tile < 12; tile++) spoil_tile(slide, tile);
    command_shell(&o, root,
                  "$RANKMIL train run/cohort.csv -o spoilt --model patch-cnn --cnn-width 16 --tile-batch 8 --epochs-tiles 4 "
                  "--val-tiles 8 --epochs 1 --warmup 1");
    command_expect(&o, 0, "slide_003 is left out by patch-cnn, which reads pixels: ");
    g_assert_nonnull(strstr(o.err, "slide_003.tiff: patch "));
    g_autofree char *part = g_build_filename(root, "spoilt", NULL);
    g_autoptr(RmilTable) rest = test_rows(part, "predictions.csv");
    g_assert_cmpint(rmil_table_rows(rest), ==, 9);
    command_shell(&o, root, "$RANKMIL train run/cohort.csv -o none --model patch-cnn --cnn-weights nowhere.pth");
    command_expect(&o, 1, "nowhere.pth: cannot be opened");
    command_shell(&o, root, "$RANKMIL train run/cohort.csv -o none --model patch-cnn --cnn-width 20");
    command_expect(&o, 1, "--cnn-width 20 is not a multiple of 16");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    make_cohort();
    g_test_add_func("/cli-cnn/run", test_run);
    g_test_add_func("/cli-cnn/killed", test_killed);
    g_test_add_func("/cli-cnn/broken", test_broken);
    return g_test_run();
}
