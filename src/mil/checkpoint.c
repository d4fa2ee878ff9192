/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a training that was interrupted. */
#include "checkpoint.h"

#include "tensors/tensors-private.h"

#include <string.h>

static const char *const names[] = {"parameters", "best", "first", "second", "average"};
enum { ARRAYS = G_N_ELEMENTS(names), COLUMNS = 7, STATE = 4 };

static void pack(const RmilEpoch *epoch, double *row) {
    const double values[COLUMNS] = {
        (double)epoch->epoch, epoch->train_loss, epoch->train_slide_loss, epoch->train_guide_loss, epoch->val_loss,
        epoch->val_metric,    epoch->best};
    memcpy(row, values, sizeof values);
}

static RmilEpoch unpack(const double *row) { return (RmilEpoch){(int64_t)row[0], row[1], row[2], row[3], row[4], row[5], row[6] != 0}; }

gboolean rmil_checkpoint_write(const char *path, const char *key, const RmilTrainState *state, const GArray *history,
                               const float *const arrays[5], int64_t count, GError **error) {
    RmilTensor tensors[ARRAYS + 2] = {{.name = NULL}};
    const int given = arrays[ARRAYS - 1] ? ARRAYS : ARRAYS - 1;
    for (int i = 0; i < given; i++)
        tensors[i] = (RmilTensor){.name = names[i], .dtype = RMIL_DTYPE_F32, .rank = 1, .shape = {count}, .data = arrays[i]};
    const double values[STATE] = {(double)state->epoch, (double)state->updates, (double)state->waiting, state->best_loss};
    g_autofree double *rows = g_new(double, (history->len * COLUMNS + 1));
    for (guint i = 0; i < history->len; i++) pack(&g_array_index(history, RmilEpoch, i), rows + i * COLUMNS);
    tensors[given] = (RmilTensor){.name = "state", .dtype = RMIL_DTYPE_F64, .rank = 1, .shape = {STATE}, .data = values};
    tensors[given + 1] =
        (RmilTensor){.name = "history", .dtype = RMIL_DTYPE_F64, .rank = 2, .shape = {history->len, COLUMNS}, .data = rows};
    const char *metadata[] = {"format", "rankmil-checkpoint-1", "key", key, NULL};
    return rmil_safetensors_write(path, tensors, given + 2, metadata, error);
}

/* Tensor `name` as raw bytes, if it has this type and number of entries. */
static const void *raw(const RmilTensors *file, const char *name, RmilDtype dtype, int64_t count) {
    const RmilTensor *tensor = rmil_tensors_find(file, name);
    return tensor && tensor->dtype == dtype && (count < 0 || tensor->count == count) ? tensor->data : NULL;
}

gboolean rmil_checkpoint_read(const char *path, const char *key, RmilTrainState *state, GArray *history, float *const arrays[5],
                              int64_t count, gboolean *other) {
    *other = FALSE;
    gboolean there;
    if (rmil_file_exists(path, &there, NULL) && !there) return FALSE;
    *other = TRUE; /* until it proves to be of this run */
    g_autoptr(RmilTensors) file = rmil_safetensors_read(path, G_MAXSIZE, NULL);
    if (!file || g_strcmp0(rmil_tensors_metadata(file, "key"), key) != 0) return FALSE;
    const void *bytes[ARRAYS], *values = raw(file, "state", RMIL_DTYPE_F64, STATE);
    const RmilTensor *rows = rmil_tensors_find(file, "history");
    gboolean whole = values && rows && rows->rank == 2 && rows->shape[1] == COLUMNS && rows->dtype == RMIL_DTYPE_F64;
    const int given = arrays[ARRAYS - 1] ? ARRAYS : ARRAYS - 1;
    for (int i = 0; i < given; i++) whole = (bytes[i] = raw(file, names[i], RMIL_DTYPE_F32, count)) != NULL && whole;
    if (!whole) return FALSE;
    double numbers[STATE], row[COLUMNS];
    memcpy(numbers, values, sizeof numbers);
    *state = (RmilTrainState){(int64_t)numbers[0], (int64_t)numbers[1], (int64_t)numbers[2], numbers[3]};
    for (int i = 0; i < given; i++) memcpy(arrays[i], bytes[i], (size_t)count * sizeof(float));
    g_array_set_size(history, 0);
    for (int64_t i = 0; i < rows->shape[0]; i++) {
        memcpy(row, (const char *)rows->data + (size_t)i * sizeof row, sizeof row);
        RmilEpoch epoch = unpack(row);
        g_array_append_val(history, epoch);
    }
    *other = FALSE;
    return TRUE;
}
