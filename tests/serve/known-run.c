/* SPDX-License-Identifier: Apache-2.0 */
#include "known-run.h"

#include "../slide/make-slide.h"
#include "command.h"
#include "rankmil/bag.h"

enum { WIDTH = 640, HEIGHT = 512, DIM = 8, COLUMNS = WIDTH / KNOWN_SIDE, ROWS = HEIGHT / KNOWN_SIDE };

static void make_features(const char *folder, const char *id, gboolean positive, gboolean leica, uint64_t seed) {
    float features[ROWS * COLUMNS * DIM];
    int64_t coords[ROWS * COLUMNS * 2];
    RmilRng rng;
    GError *error = NULL;
    rmil_rng_init(&rng, seed, 0);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        coords[2 * i] = i % COLUMNS * KNOWN_SIDE + (leica ? KNOWN_LEFT : 0);
        coords[2 * i + 1] = i / COLUMNS * KNOWN_SIDE + (leica ? KNOWN_TOP : 0);
        for (int d = 0; d < DIM; d++) features[i * DIM + d] = (float)(0.3 * rmil_rng_normal(&rng));
        if (positive && i == KNOWN_SQUARE / KNOWN_SIDE * (COLUMNS + 1)) features[i * DIM] += 6;
    }
    const RmilBag bag = {.id = (char *)id,
                         .count = ROWS * COLUMNS,
                         .dim = DIM,
                         .precision = RMIL_FLOAT32,
                         .features = features,
                         .coords = coords,
                         .patch_size = KNOWN_SIDE,
                         .patch_size_level0 = KNOWN_SIDE,
                         .target_mpp = 0.5};
    g_autofree char *name = g_strdup_printf("%s.h5", id), *path = g_build_filename(folder, name, NULL);
    g_assert_true(rmil_bag_write(&bag, path, FALSE, &error));
}

char *known_run(void) {
    char *folder = test_folder();
    g_autoptr(GString) table = g_string_new("id,slide,features,label,split,annotation\n");
    g_free(test_file(
        folder, "p2.geojson",
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[256,256],[320,256],[320,320],[256,320],"
        "[256,256]]]},\"properties\":{\"objectType\":\"annotation\",\"classification\":{\"name\":\"Tumor\"}}}]}"));
    for (int i = 0; i < 16; i++) {
        const gboolean positive = i < 8, leica = i == 0;
        const int number = i % 8 + 1;
        g_autoptr(Picture) picture = picture_new(WIDTH, HEIGHT, 0xF0DCE6);
        if (positive) picture_fill(picture, KNOWN_SQUARE, KNOWN_SQUARE, KNOWN_SIDE, KNOWN_SIDE, 0x1428C8);
        picture_fill(picture, 20 * number, 20, 12, 12, 0x902090); /* so that no two are the same */
        g_autofree char *id = g_strdup_printf("%c%d", positive ? 'p' : 'n', number), *name = g_strdup_printf("%s.tiff", id);
        if (leica) g_free(make_leica(folder, name, picture, KNOWN_LEFT, KNOWN_TOP, 4000, 3000, FALSE));
        else g_free(make_slide(folder, name, picture, (SlideForm){.mpp = 0.5, .compression = VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE}));
        make_features(folder, id, positive, leica, (uint64_t)i + 1);
        g_string_append_printf(table, "%s,%s,%s.h5,%d,%s,%s\n", id, name, id, positive,
                               number <= 4   ? "train"
                               : number <= 6 ? "val"
                                             : "test",
                               positive && number == 2 ? "p2.geojson" : "");
    }
    g_free(test_file(folder, "cohort.csv", table->str));
    g_auto(Outcome) o = {0};
    command_run(&o, folder, "run", "cohort.csv", "-o", "run", KNOWN_RUN_OPTIONS, NULL);
    command_expect(&o, 0, "");
    return folder;
}
