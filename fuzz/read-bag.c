/* SPDX-License-Identifier: Apache-2.0 */
/* Features and patch labels of one slide, and the file left by a killed writer. */
#include "fuzz.h"

#include "rankmil/bag.h"

#include <math.h>

/* A bag says where its patches lie and holds finite numbers. */
static void touch(const RmilBag *bag) {
    if (bag->count < 1 || (bag->features && bag->dim < 1)) abort();
    double sum = 0;
    for (int64_t i = 0; bag->features && i < bag->count * bag->dim; i++) sum += fabs((double)((const float *)bag->features)[i]);
    for (int64_t i = 0; bag->coords && i < 2 * bag->count; i++) sum += fabs((double)bag->coords[i]);
    for (int64_t i = 0; bag->tissue && i < bag->count; i++) sum += fabs((double)bag->tissue[i]);
    for (int64_t i = 0; bag->patch_labels && i < bag->count; i++) sum += bag->patch_labels[i];
    if (isnan(sum) || isnan(rmil_bag_step(bag)) || isnan(rmil_bag_level0_mpp(bag))) abort();
    g_autofree char *digest = bag->features ? rmil_bag_digest(bag) : NULL;
}

void fuzz_bag(const FuzzInput *input) {
    GError *error = NULL;
    g_autofree char *source = NULL;
    g_autoptr(RmilBag) bag = rmil_bag_read(input->path, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, &error);
    FUZZ_EITHER(bag, error);
    g_clear_error(&error);
    if (bag) touch(bag);
    const gboolean told = rmil_bag_source(input->path, &source, &error);
    FUZZ_EITHER(told, error);
    g_clear_error(&error);
}

void fuzz_labels(const FuzzInput *input) {
    uint8_t labels[6];
    GError *error = NULL;
    const gboolean read = rmil_labels_read(input->path, G_N_ELEMENTS(labels), labels, &error);
    FUZZ_EITHER(read, error);
    for (gsize i = 0; read && i < G_N_ELEMENTS(labels); i++)
        if (labels[i] > 1) abort();
    g_clear_error(&error);
}

/* Whatever the file holds, the writer goes on, and has exactly the features that it was given. */
void fuzz_partial(const FuzzInput *input) {
    enum { ROWS = 3, COLUMNS = 2 };
    int64_t coords[2 * ROWS] = {0, 0, 224, 0, 448, 0};
    const float features[ROWS * COLUMNS] = {1, 2, 3, 4, 5, 6};
    const RmilBag meta = {.id = (char *)"slide",
                          .count = ROWS,
                          .dim = COLUMNS,
                          .coords = coords,
                          .patch_size = 224,
                          .patch_size_level0 = 224,
                          .target_mpp = 0.5,
                          .source = (char *)"fuzz"};
    g_autofree char *path = g_build_filename(input->folder, "slide.h5", NULL);
    GError *error = NULL;
    RmilBagWriter *writer = rmil_bag_writer_begin(&meta, path, FALSE, &error);
    FUZZ_EITHER(writer, error);
    g_clear_error(&error);
    if (!writer) return;
    for (int64_t i = 0; i < ROWS; i++)
        if (!rmil_bag_writer_has(writer, i, 1) && !rmil_bag_writer_put(writer, i, 1, features + i * COLUMNS, NULL)) abort();
    const gboolean done = rmil_bag_writer_commit(writer, &error);
    FUZZ_EITHER(done, error);
    g_clear_error(&error);
}
