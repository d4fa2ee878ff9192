/* SPDX-License-Identifier: Apache-2.0 */
/* A run's folder, made up. */
#include "fake-run.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <vips/vips.h>

static void save(const char *folder, const char *name, const char *text) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    GError *error = NULL;
    g_assert_true(rmil_file_write(path, text, strlen(text), &error));
    g_assert_no_error(error);
}

static void save_table(const char *folder, const char *name, const RmilCsv *csv) {
    g_autofree char *path = g_build_filename(folder, name, NULL);
    GError *error = NULL;
    g_assert_true(rmil_csv_write(csv, path, &error));
    g_assert_no_error(error);
}

/* How good a method is: distance of the two classes' logits. */
static double strength(const char *method) {
    return strstr(method, "rank") ? 2.6 : strcmp(method, "induction") == 0 ? 1.6 : strstr(method, "clam") ? 1.4 : 1.0;
}

static char *slide_id(const FakeRun *fake, int i) { return g_strdup_printf("%s%03d", fake->prefix, i + 1); }

static void add_prediction(RmilCsv *csv, const FakeRun *fake, const char *split, int i, double gap, RmilRng *shared, RmilRng *own) {
    int label = i % 5 < 2;
    double logit = (label ? 1 : -1) * gap / 2 + rmil_rng_normal(shared) + 0.5 * rmil_rng_normal(own);
    g_autofree char *name = slide_id(fake, i), *id = g_strdup_printf("%s%s", strcmp(split, "test") == 0 ? "" : split, name);
    rmil_csv_text(csv, id);
    rmil_csv_text(csv, split);
    rmil_csv_whole(csv, label);
    rmil_csv_numbers(csv, "%.6f", (double[]){1 / (1 + exp(-logit)), logit}, 2);
    rmil_csv_end(csv);
}

static void write_predictions(const char *folder, const char *method, int seed, const FakeRun *fake) {
    g_autoptr(RmilCsv) csv = rmil_csv_new("id,split,label,probability,logit");
    RmilRng shared, own;
    rmil_rng_init(&shared, 5, g_str_hash(method) % 3);
    rmil_rng_init(&own, (uint64_t)seed, g_str_hash(method));
    for (int i = 0; i < fake->slides; i++) add_prediction(csv, fake, "train", i, 2 * strength(method), &shared, &own);
    for (int i = 0; i < fake->slides / 4; i++) add_prediction(csv, fake, "val", i, strength(method), &shared, &own);
    for (int i = 0; i < fake->slides; i++) add_prediction(csv, fake, "test", i, strength(method), &shared, &own);
    save_table(folder, "predictions.csv", csv);
}

static void write_history(const char *folder, const char *method, int seed) {
    g_autoptr(GString) csv = g_string_new("epoch,train_loss,train_slide_loss,train_guide_loss,val_loss,val_auroc,"
                                          "best\n");
    RmilRng rng;
    rmil_rng_init(&rng, (uint64_t)seed, 99);
    double best = 9;
    gboolean guided = strstr(method, "rank") || strcmp(method, "induction") == 0;
    for (int e = 1; e <= 34; e++) {
        double slide = 0.15 + 0.55 * exp(-e / 9.0) + 0.02 * rmil_rng_normal(&rng), guide = guided ? 0.2 + 0.9 * exp(-e / 5.0) : 0;
        double val = 0.4 + 0.3 * exp(-e / 8.0) + 0.00025 * (e - 18) * (e - 18) + 0.015 * rmil_rng_normal(&rng);
        gboolean better = val < best;
        best = MIN(best, val);
        g_string_append_printf(csv, "%d,%.6f,%.6f,%.6f,%.6f,%s,%d\n", e, slide + guide, slide, guide, val,
                               e == 1  ? "nan"
                               : e % 2 ? "0.81"
                                       : "0.84",
                               better);
    }
    save(folder, "history.csv", csv->str);
}

static void write_localisation(const char *folder, const char *method, int seed, const FakeRun *fake) {
    static const double alphas[] = {1, 5, 10, 20, 50, 75, 100};
    g_autoptr(RmilCsv) csv = rmil_csv_new("id,alpha,iou,dice,pointing");
    RmilRng rng;
    rmil_rng_init(&rng, (uint64_t)seed, g_str_hash(method) + 1);
    for (int i = 0, done = 0; done < fake->annotated; i++) {
        if (i % 5 >= 2) continue;
        g_autofree char *id = slide_id(fake, i);
        for (gsize a = 0; a < G_N_ELEMENTS(alphas); a++) {
            double iou = MIN(1, strength(method) / 3.2 * pow(alphas[a] / 100, 0.8) * (0.8 + 0.2 * rmil_rng_uniform(&rng)));
            rmil_csv_text(csv, id);
            rmil_csv_number(csv, "%g", alphas[a]);
            rmil_csv_numbers(csv, "%.6f", (double[]){iou, 2 * iou / (1 + iou)}, 2);
            rmil_csv_whole(csv, rmil_rng_uniform(&rng) < 0.35 + 0.2 * strength(method) + alphas[a] / 300);
            rmil_csv_end(csv);
        }
        done++;
    }
    save_table(folder, "localisation.csv", csv);
}

void fake_training_write(const char *folder, const char *method, int seed, const FakeRun *fake) {
    write_predictions(folder, method, seed, fake);
    write_history(folder, method, seed);
    if (fake->annotated) write_localisation(folder, method, seed, fake);
    g_autofree char *name = g_strescape(method, NULL);
    g_autofree char *info = g_strdup_printf("{\"version\": \"0.1.0\", \"method\": \"%s\", \"model\": \"%s\", "
                                            "\"guide\": \"%s\", \"seed\": %d, \"config\": {\"hidden\": 256, "
                                            "\"threshold\": 1.0, "
                                            "\"lambda\": 1, \"learning_rate\": 0.0002, \"rank_sample\": 0, "
                                            "\"balanced\": true}, \"timings\": {\"train\": 12.25}}",
                                            name, strstr(method, "clam") ? method : "abmil",
                                            strstr(method, "rank")        ? "rank"
                                            : strcmp(method, "induction") ? "none"
                                                                          : method,
                                            seed);
    save(folder, "run.json", info);
    save(folder, "model.safetensors", "weights");
}

static void write_picture(const char *path, int i) {
    enum { W = 640, H = 300 };
    g_autofree uint8_t *rgb = g_malloc(W * H * 3);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            gboolean square = (x / 20 * 7 + y / 20 * 3 + i) % 5 == 0;
            memcpy(rgb + (y * W + x) * 3,
                   x < W / 2 ? (uint8_t[]){230, 190, 210}
                   : square  ? (uint8_t[]){253, 231, 37}
                             : (uint8_t[]){68, 1, 84},
                   3);
        }
    g_autofree char *folder = g_path_get_dirname(path);
    g_mkdir_with_parents(folder, 0777);
    VipsImage *image = vips_image_new_from_memory(rgb, W * H * 3, W, H, 3, VIPS_FORMAT_UCHAR), *tagged = NULL;
    g_assert_cmpint(vips_copy(image, &tagged, "interpretation", VIPS_INTERPRETATION_sRGB, NULL), ==, 0);
    g_assert_cmpint(vips_pngsave(tagged, path, NULL), ==, 0);
    g_object_unref(tagged);
    g_object_unref(image);
}

void fake_run_write(const char *folder, const FakeRun *fake) {
    for (int m = 0; fake->methods[m]; m++) {
        for (int s = 0; s < fake->seeds; s++) {
            g_autofree char *number = g_strdup_printf("%d", s), *below = g_build_filename(folder, "runs", fake->methods[m], number, NULL);
            fake_training_write(below, fake->methods[m], s, fake);
        }
        for (int i = 0; i < fake->pictures; i++) {
            g_autofree char *id = slide_id(fake, i), *file = g_strconcat(id, ".png", NULL);
            g_autofree char *path = g_build_filename(folder, "heatmaps", fake->methods[m], file, NULL);
            write_picture(path, m + i);
        }
    }
    g_autofree char *escaped = fake->message ? g_strescape(fake->message, NULL) : NULL;
    g_autofree char *problem = fake->message ? g_strdup_printf("{\"id\": \"broken_01\", \"stage\": \"tile\", \"message\": \"%s\"}", escaped)
                                             : g_strdup("");
    g_autofree char *info = g_strdup_printf(
        "{\"version\": \"0.1.0\", \"command\": [\"rankmil\", \"run\", \"data/my cohort.csv\", \"-o\", "
        "\"out\", \"--seeds\", \"%d\"], \"cohort\": \"data/my cohort.csv\", "
        "\"created\": \"2026-03-14T10:22:33.25Z\", \"config\": {\"encoder\": \"texture\", \"tile_px\": 224, "
        "\"tile_mpp\": 0.5, \"min_tissue\": 0.05, \"methods\": [\"abmil\", \"rank\"], "
        "\"train\": {\"epochs\": 200, \"patience\": 7}}, \"timings\": {\"tile\": 8.4, \"encode\": "
        "131.7, \"label\": 0.6, \"train\": 4210, \"heatmaps\": 20}, "
        "\"cohort_summary\": {\"slides\": %d, \"patients\": 74, \"annotated slides\": 16, \"tiles\": "
        "{\"total\": 123456, \"median\": 1411, \"least\": 3, \"most\": 9120}, "
        "\"mpp\": {\"0.250\": 60, \"0.500\": 21}, \"splits\": {\"train\": {\"positive\": 16}}}, \"problems\": [%s]}",
        fake->seeds, fake->slides * 9 / 4, problem);
    save(folder, "run.json", info);
}
