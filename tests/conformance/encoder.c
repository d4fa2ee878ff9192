/* SPDX-License-Identifier: Apache-2.0 */
/* golden/encoder: ResNet-50 features of real patches, from torchvision. */
#include "tensors/tensors-private.h"
#include "conformance.h"

#include <math.h>
#include <string.h>
#include <vips/vips.h>

#define TILE 224

/* The middle of an image as RGB bytes. */
static gboolean read_middle(const char *path, uint8_t *rgb) {
    VipsImage *image = vips_image_new_from_file(path, NULL), *colour = NULL, *middle = NULL, *bands = NULL;
    gboolean done = image && !vips_colourspace(image, &colour, VIPS_INTERPRETATION_sRGB, NULL) &&
                    !vips_extract_area(colour, &middle, (colour->Xsize - TILE) / 2, (colour->Ysize - TILE) / 2, TILE, TILE, NULL) &&
                    !vips_extract_band(middle, &bands, 0, "n", 3, NULL);
    size_t size = 0;
    uint8_t *pixels = done ? vips_image_write_to_memory(bands, &size) : NULL;
    done = pixels && size == (size_t)TILE * TILE * 3;
    if (done) memcpy(rgb, pixels, size);
    g_free(pixels);
    g_clear_object(&image);
    g_clear_object(&colour);
    g_clear_object(&middle);
    g_clear_object(&bands);
    return done;
}

/* A tensor is named after its patch, with or without .png. */
static char *find_patch(const char *folder, const char *name) {
    g_autofree char *file = g_str_has_suffix(name, ".png") ? g_strdup(name) : g_strconcat(name, ".png", NULL);
    return g_build_filename(folder, "patches", file, NULL);
}

/* Do the features tell tumour from normal tissue by a linear rule? Each patch is judged by the others: on which side of the
 * plane halfway between the two classes' means it lies. */
static void separate(Conformance *c, const RmilTensors *expected, const float *features, int64_t dim, const char *name) {
    const int64_t count = rmil_tensors_count(expected);
    int64_t right = 0;
    for (int64_t left_out = 0; left_out < count; left_out++) {
        g_autofree double *means = g_new0(double, (gsize)(2 * dim));
        int64_t sizes[2] = {0, 0};
        for (int64_t i = 0; i < count; i++) {
            const int tumour = g_str_has_prefix(rmil_tensors_at(expected, i)->name, "tumor");
            if (i == left_out) continue;
            sizes[tumour]++;
            for (int64_t k = 0; k < dim; k++) means[tumour * dim + k] += (double)features[i * dim + k];
        }
        double side = 0;
        for (int64_t k = 0; k < dim; k++) {
            const double normal = means[k] / (double)sizes[0], tumour = means[dim + k] / (double)sizes[1];
            side += ((double)features[left_out * dim + k] - (normal + tumour) / 2) * (tumour - normal);
        }
        right += (side > 0) == g_str_has_prefix(rmil_tensors_at(expected, left_out)->name, "tumor");
    }
    conformance_case(c, (double)right >= 0.9 * (double)count, name,
                     "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " patches on the right side of the plane that the others give", right,
                     count);
}

static void check(Conformance *c, const char *folder, const RmilTensors *expected, RmilPrecision precision) {
    GError *error = NULL;
    const char *what = precision == RMIL_BFLOAT16 ? "bfloat16" : "float32";
    RmilEncoderOptions options = {.weights = c->weights, .precision = precision, .workers = 1};
    g_autoptr(RmilEncoder) encoder = rmil_encoder_new("resnet50", &options, &error);
    if (!encoder && precision == RMIL_BFLOAT16 && g_error_matches(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT)) {
        g_clear_error(&error); /* a processor without it refuses: nothing to compare */
        return;
    }
    if (!encoder) {
        conformance_case(c, FALSE, "encoder", "%s: %s", what, error->message);
        g_clear_error(&error);
        return;
    }
    int64_t count = rmil_tensors_count(expected), dim = rmil_encoder_dim(encoder);
    const gsize tile = (gsize)TILE * TILE * 3;
    g_autofree uint8_t *rgb = g_malloc0(tile * (gsize)count);
    g_autofree gboolean *there = g_new0(gboolean, count);
    g_autofree float *features = g_new0(float, (dim * count)), *want = g_new(float, dim);
    for (int64_t i = 0; i < count; i++) {
        const RmilTensor *tensor = rmil_tensors_at(expected, i);
        g_autofree char *path = find_patch(folder, tensor->name);
        there[i] = tensor->count == dim && read_middle(path, rgb + tile * (gsize)i);
    }
    if (!rmil_encoder_run(encoder, 0, rgb, (int)count, features, &error)) {
        conformance_case(c, FALSE, "encoder", "%s: %s", what, error->message);
        g_clear_error(&error);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const RmilTensor *tensor = rmil_tensors_at(expected, i);
        const float *got = features + i * dim;
        g_autofree char *name = g_strdup_printf("encoder %s %s", what, tensor->name);
        if (!there[i]) {
            conformance_case(c, FALSE, name, "its patch cannot be read, or its size does not fit");
            continue;
        }
        rmil_tensor_floats(tensor, want);
        double difference = 0, norm = 0, product = 0, got_norm = 0;
        for (int64_t k = 0; k < dim; k++) {
            double g = (double)got[k], w = (double)want[k];
            difference += (g - w) * (g - w);
            norm += w * w;
            got_norm += g * g;
            product += g * w;
        }
        double relative = sqrt(difference / norm), cosine = product / sqrt(norm * got_norm);
        if (precision == RMIL_BFLOAT16) conformance_case(c, cosine >= 0.999, name, "cosine %.6f", cosine);
        else conformance_case(c, relative <= 1e-5, name, "relative L2 %.2e", relative);
    }
    g_autofree char *rule = g_strdup_printf("encoder %s linear rule", what);
    separate(c, expected, features, dim, rule);
}

void conformance_encoder(Conformance *c, const char *path) {
    GError *error = NULL;
    if (!c->weights) {
        conformance_case(c, FALSE, "encoder", "needs --weights FILE");
        return;
    }
    g_autofree char *file = g_build_filename(path, "expected.safetensors", NULL);
    g_autoptr(RmilTensors) expected = rmil_safetensors_read(file, (gsize)1 << 30, &error);
    if (!expected || VIPS_INIT("conformance")) {
        conformance_case(c, FALSE, "encoder", "%s", error ? error->message : "libvips cannot be started");
        g_clear_error(&error);
        return;
    }
    check(c, path, expected, RMIL_FLOAT32);
    check(c, path, expected, RMIL_BFLOAT16);
}
