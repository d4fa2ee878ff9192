/* SPDX-License-Identifier: Apache-2.0 */
/* Where does a trained model look? Prints its prediction for a slide, and the five patches with the highest attention.
 *
 *   cc attend.c $(pkg-config --cflags --libs rankmil) -o attend
 *   ./attend results/runs/rank/0/model.safetensors results/features/slide_001.h5 */
#include <rankmil/rankmil.h>

#include <stdio.h>

enum { SHOWN = 5 };

/* Returns the index of the highest remaining value, and sets that value to −1 so that it is not found again. */
static int64_t take_highest(float *values, int64_t count, float *value) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (values[i] > values[best]) best = i;
    *value = values[best];
    values[best] = -1;
    return best;
}

static gboolean attend(const char *model_path, const char *features, GError **error) {
    g_autoptr(RmilModel) model = rmil_model_load(model_path, error);
    if (!model) return FALSE;
    g_autoptr(RmilBag) bag = rmil_bag_read(features, NULL, RMIL_FLOAT32, RMIL_BAG_ALL, error);
    if (!bag) return FALSE;
    g_autofree float *attention = g_try_new(float, bag->count);
    if (!attention) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_MEMORY, "not enough memory for %" G_GINT64_FORMAT " patches", bag->count);
        return FALSE;
    }
    RmilPrediction said;
    if (!rmil_model_predict(model, bag, NULL, &said, NULL, attention, error)) return FALSE;
    printf("%s: probability %.4f, %" G_GINT64_FORMAT " patches\n", bag->id, said.probability, bag->count);
    for (int i = 0; i < SHOWN && i < bag->count; i++) {
        float share;
        int64_t patch = take_highest(attention, bag->count, &share);
        printf("  patch %5" G_GINT64_FORMAT, patch);
        if (bag->coords) printf(" at (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT ")", bag->coords[2 * patch], bag->coords[2 * patch + 1]);
        printf(": %.1f times the mean attention\n", (double)share * (double)bag->count);
    }
    return TRUE;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: attend MODEL FEATURES\n");
        return 2;
    }
    g_autoptr(GError) error = NULL;
    if (attend(argv[1], argv[2], &error)) return 0;
    fprintf(stderr, "attend: %s\n", error->message);
    return 1;
}
