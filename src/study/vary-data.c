/* SPDX-License-Identifier: Apache-2.0 */
/* What a study can vary in the data: slides, annotations, their outlines. */
#include "vary-data.h"

#include "base/base-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Streams of random numbers (base.h: one per purpose): + set × 2 + class; with more than two classes, + set × RMIL_CLASSES_MOST + class. */
enum { STREAM_FRACTION = 200, STREAM_ANNOTATED = 220, STREAM_MANY = 300 };

static gboolean is_annotated(const RmilBag *bag) { return bag->patch_labels && memchr(bag->patch_labels, 1, (size_t)bag->count) != NULL; }

static gint compare_ids(gconstpointer a, gconstpointer b, gpointer user) {
    const RmilTrainData *data = user;
    return strcmp(data->cohort->rows[*(const int64_t *)a].id, data->cohort->rows[*(const int64_t *)b].id);
}

/* The group in which a slide is drawn: its class, or its event; for numbers, all. −1: it has no target. */
static int group_of(const RmilTrainData *data, int64_t row) {
    const RmilTask *task = &data->cohort->task;
    const RmilTarget *target = &data->targets[row];
    if (!rmil_target_known(task, target)) return -1;
    return task->kind == RMIL_TASK_CLASSES ? target->label : task->kind == RMIL_TASK_SURVIVAL ? target->event != FALSE : 0;
}

static int groups(const RmilTrainData *data) {
    const RmilTask *task = &data->cohort->task;
    return task->kind == RMIL_TASK_CLASSES ? task->classes : task->kind == RMIL_TASK_SURVIVAL ? 2 : 1;
}

/* Does it have an annotation that guides would follow, so that it can be left out? */
static gboolean has_lesion(const RmilTrainData *data, int64_t row) {
    return rmil_target_lesion(&data->cohort->task, &data->targets[row]) && is_annotated(data->bags[row]);
}

/* Rows of one set and group (−1: all; annotated ones only, if requested), in an order that depends on ids and seed, not on the cohort's
 * order. */
static GArray *ordered(const RmilTrainData *data, const RmilRepeat *repeat, RmilSplit set, int group, gboolean annotated, uint64_t stream) {
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (int64_t i = 0; i < data->count; i++)
        if (data->bags[i] && repeat->splits[i] == set && (group < 0 || group_of(data, i) == group) && (!annotated || has_lesion(data, i)))
            g_array_append_val(rows, i);
    g_array_sort_with_data(rows, compare_ids, (gpointer)data);
    RmilRng rng;
    rmil_rng_init(&rng, (uint64_t)repeat->seed, stream);
    rmil_rng_shuffle(&rng, (int64_t *)(void *)rows->data, rows->len);
    return rows;
}

static guint portion(guint count, double share, guint least) {
    guint wanted = (guint)floor(share * (double)count + 0.5);
    return MIN(count, MAX(wanted, least));
}

void rmil_vary_fraction(const RmilTrainData *data, const RmilRepeat *repeat, double fraction, RmilSplit *splits) {
    memcpy(splits, repeat->splits, (gsize)data->count * sizeof *splits);
    for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_VAL; set++)
        for (int group = 0; group < groups(data); group++) {
            const uint64_t stream = groups(data) <= 2 ? STREAM_FRACTION + (uint64_t)set * 2 + (uint64_t)group
                                                      : STREAM_MANY + (uint64_t)set * RMIL_CLASSES_MOST + (uint64_t)group;
            g_autoptr(GArray) rows = ordered(data, repeat, set, group, FALSE, stream);
            for (guint i = portion(rows->len, fraction, 1); i < rows->len; i++) splits[g_array_index(rows, int64_t, i)] = RMIL_SPLIT_NONE;
        }
}

void rmil_vary_annotated(const RmilTrainData *data, const RmilRepeat *repeat, double share, gboolean *kept) {
    memset(kept, 0, (gsize)data->count * sizeof *kept);
    for (RmilSplit set = RMIL_SPLIT_TRAIN; set <= RMIL_SPLIT_VAL; set++) {
        g_autoptr(GArray) rows = ordered(data, repeat, set, -1, TRUE, STREAM_ANNOTATED + (uint64_t)set * 2 + 1);
        guint keep = portion(rows->len, share, share > 0 && set == RMIL_SPLIT_TRAIN);
        for (guint i = 0; i < keep; i++) kept[g_array_index(rows, int64_t, i)] = TRUE;
    }
}

typedef struct {
    int64_t place, row;
} Placed;

static int compare_places(const void *a, const void *b) {
    const Placed *p = a, *q = b;
    return (p->place > q->place) - (p->place < q->place);
}

void rmil_vary_suggested(const RmilTrainData *data, const RmilRepeat *repeat, double share, const RmilSuggested *order, gboolean *kept) {
    rmil_vary_annotated(data, repeat, share, kept);
    g_autoptr(GArray) placed = g_array_new(FALSE, FALSE, sizeof(Placed));
    for (int64_t i = 0; i < data->count; i++) {
        if (repeat->splits[i] != RMIL_SPLIT_TRAIN || order->place[i] < 0) continue;
        const Placed one = {order->place[i], i};
        kept[i] = FALSE;
        g_array_append_val(placed, one);
    }
    if (placed->len) qsort(placed->data, placed->len, sizeof(Placed), compare_places);
    const guint keep = portion(placed->len, share, share > 0);
    for (guint i = 0; i < keep; i++) kept[g_array_index(placed, Placed, i).row] = TRUE;
}

/* -- grown annotations ------------------------------------------------------------------------------------------------------- */
/* Tiles in cells of one tile's size, as chains: tiles near each other are in the same or neighbouring cells. */
typedef struct {
    GHashTable *first; /* cell -> tile + 1 */
    int64_t *next;     /* tile + 1, or 0 */
} Cells;

static int64_t cell_of(int64_t x, double size) { return (int64_t)floor((double)x / size); }

/* Two cell indices as one key; coordinates are far below 2³¹ tiles. */
static gpointer cell_key(int64_t x, int64_t y) { return GSIZE_TO_POINTER((gsize)x << 32 ^ ((gsize)y & 0xffffffff)); }

static gboolean cells_fill(Cells *cells, const RmilBag *bag, GError **error) {
    if (!(cells->next = rmil_try_new(bag->count, sizeof *cells->next, error))) return FALSE;
    cells->first = g_hash_table_new(NULL, NULL);
    for (int64_t i = 0; i < bag->count; i++) {
        gpointer key = cell_key(cell_of(bag->coords[2 * i], bag->patch_size_level0),
                                cell_of(bag->coords[2 * i + 1], bag->patch_size_level0));
        cells->next[i] = (int64_t)GPOINTER_TO_SIZE(g_hash_table_lookup(cells->first, key));
        g_hash_table_insert(cells->first, key, GSIZE_TO_POINTER((gsize)i + 1));
    }
    return TRUE;
}

/* Distance between two squares of one size: 0 if they touch or overlap. */
static double gap(const int64_t *a, const int64_t *b, double size) {
    double dx = fmax(0, fabs((double)(a[0] - b[0])) - size), dy = fmax(0, fabs((double)(a[1] - b[1])) - size);
    return hypot(dx, dy);
}

static void grow_around(const RmilBag *bag, const Cells *cells, int64_t tile, double padding, uint8_t *labels) {
    const double size = bag->patch_size_level0;
    const int64_t *at = bag->coords + 2 * tile, reach = (int64_t)ceil(padding / size) + 1;
    const int64_t x = cell_of(at[0], size), y = cell_of(at[1], size);
    for (int64_t v = y - reach; v <= y + reach; v++)
        for (int64_t u = x - reach; u <= x + reach; u++)
            for (int64_t i = (int64_t)GPOINTER_TO_SIZE(g_hash_table_lookup(cells->first, cell_key(u, v))); i > 0; i = cells->next[i - 1])
                if (!labels[i - 1] && gap(at, bag->coords + 2 * (i - 1), size) < padding) labels[i - 1] = 1;
}

static gboolean grow(const RmilBag *bag, double padding, uint8_t *labels, GError **error) {
    memcpy(labels, bag->patch_labels, (size_t)bag->count);
    if (padding <= 0) return TRUE;
    if (!bag->coords || bag->patch_size_level0 <= 0 || bag->coords_um > 0)
        return rmil_fail(error, RMIL_ERROR_DATA,
                         "%s: its features have no coordinates in pixels with a tile size: annotations cannot be "
                         "grown by %g px",
                         bag->id, padding);
    /* for a padding of very many tiles the grid is slower than all pairs */
    const gboolean far = padding / bag->patch_size_level0 > sqrt((double)bag->count);
    Cells cells = {NULL, NULL};
    if (!far && !cells_fill(&cells, bag, error)) return FALSE;
    for (int64_t i = 0; i < bag->count; i++) {
        if (!bag->patch_labels[i]) continue;
        if (!far) grow_around(bag, &cells, i, padding, labels);
        for (int64_t j = 0; far && j < bag->count; j++)
            if (!labels[j] && gap(bag->coords + 2 * i, bag->coords + 2 * j, bag->patch_size_level0) < padding) labels[j] = 1;
    }
    if (cells.first) g_hash_table_unref(cells.first);
    g_free(cells.next);
    return TRUE;
}

RmilGrown *rmil_grown_new(const RmilTrainData *data, double padding, const char *folder, GError **error) {
    g_autoptr(RmilGrown) grown = g_new0(RmilGrown, 1);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    grown->padding = padding;
    grown->count = data->count;
    grown->labels = g_new0(uint8_t *, data->count);
    for (int64_t i = 0; i < data->count; i++) {
        const RmilBag *bag = data->bags[i];
        g_autofree char *name = bag ? g_strconcat(bag->id, ".h5", NULL) : NULL;
        g_autofree char *path = bag && folder ? g_build_filename(folder, name, NULL) : NULL;
        gboolean file = FALSE;
        if (path && !rmil_file_exists(path, &file, error)) return NULL;
        if (!bag || (!file && !is_annotated(bag))) continue;
        if (!(grown->labels[i] = rmil_try_new(bag->count, 1, error))) return NULL;
        if (!(file ? rmil_labels_read(path, bag->count, grown->labels[i], error) : grow(bag, padding, grown->labels[i], error)))
            return NULL;
        g_checksum_update(sum, (const guchar *)bag->id, (gssize)strlen(bag->id) + 1);
        g_checksum_update(sum, grown->labels[i], (gssize)bag->count);
    }
    grown->identity = g_strdup(g_checksum_get_string(sum));
    return g_steal_pointer(&grown);
}

void rmil_grown_free(RmilGrown *grown) {
    if (!grown) return;
    for (int64_t i = 0; i < grown->count; i++) g_free(grown->labels[i]);
    g_free(grown->labels);
    g_free(grown->identity);
    g_free(grown);
}

/* -- bags with other labels -------------------------------------------------------------------------------------------------- */
/* Leaves the bag only a part of its labels. */
static gboolean take_part(RmilVariant *variant, RmilBag *bag, const char *id, const RmilAnnotating *how, GError **error) {
    uint8_t *part = rmil_try_new(bag->count, 1, error);
    if (!part) return FALSE;
    g_ptr_array_add(variant->labels, part);
    if (!rmil_vary_within(bag, id, bag->patch_labels, how->within, how->seed, part, error)) return FALSE;
    bag->patch_labels = part;
    return TRUE;
}

gboolean rmil_variant_init(RmilVariant *variant, const RmilTrainData *data, const RmilSplit *splits, const RmilAnnotating *how,
                           GError **error) {
    variant->copies = g_new0(RmilBag, data->count);
    variant->bags = g_new0(const RmilBag *, data->count);
    variant->labels = g_ptr_array_new_with_free_func(g_free);
    for (int64_t i = 0; i < data->count; i++) {
        if (!data->bags[i]) continue;
        variant->copies[i] = *data->bags[i];
        variant->bags[i] = &variant->copies[i];
        if (splits[i] != RMIL_SPLIT_TRAIN && splits[i] != RMIL_SPLIT_VAL) continue;
        RmilBag *bag = &variant->copies[i];
        if (how->grown && how->grown->labels[i]) bag->patch_labels = how->grown->labels[i];
        if (!rmil_target_lesion(&data->cohort->task, &data->targets[i])) continue;
        if (how->kept && !how->kept[i]) bag->patch_labels = NULL;
        if (how->within > 0 && is_annotated(bag) && !take_part(variant, bag, data->cohort->rows[i].id, how, error)) return FALSE;
    }
    return TRUE;
}

void rmil_variant_clear(RmilVariant *variant) {
    g_clear_pointer(&variant->copies, g_free);
    g_clear_pointer(&variant->bags, g_free);
    g_clear_pointer(&variant->labels, g_ptr_array_unref);
}
