/* SPDX-License-Identifier: Apache-2.0 */
/* Slides that occur twice in a cohort's table. */
#include "cohort-private.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char *path, *what;
    int64_t row, size;
    uint64_t device, inode;
    char *digest; /* only if sizes are equal */
} Content;

static void content_clear(gpointer data) { g_free(((Content *)data)->digest); }

static gint compare_content(gconstpointer a, gconstpointer b) {
    const Content *x = a, *y = b;
    if (x->what != y->what) return strcmp(x->what, y->what);
    if (x->size != y->size) return x->size < y->size ? -1 : 1;
    int order = g_strcmp0(x->digest, y->digest);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

static void add_content(GArray *all, const char *path, const char *what, int64_t row) {
    GStatBuf info;
    if (!path || g_stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) return;
    Content content = {path, what, row, info.st_size, (uint64_t)info.st_dev, (uint64_t)info.st_ino, NULL};
    g_array_append_val(all, content);
}

/* From samples over the whole file, since slides have gigabytes. NULL: it cannot be read, which is reported elsewhere. */
static char *digest(const Content *content) {
    enum { SAMPLES = 17, BYTES = 1 << 16 };
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree uint8_t *bytes = g_malloc(BYTES);
    FILE *file = fopen(content->path, "rb");
    gboolean good = file != NULL;
    for (int i = 0; good && i < SAMPLES; i++) {
        const int64_t at = MAX(content->size - BYTES, 0) / (SAMPLES - 1) * i;
        good = fseeko(file, i == SAMPLES - 1 ? (off_t)MAX(content->size - BYTES, 0) : (off_t)at, SEEK_SET) == 0;
        const size_t got = good ? fread(bytes, 1, BYTES, file) : 0;
        good = good && !ferror(file);
        g_checksum_update(sum, bytes, (gssize)got);
    }
    if (file) fclose(file);
    return good ? g_strdup(g_checksum_get_string(sum)) : NULL;
}

/* Contents i and j have the same kind and size. The same file need not be read. */
static gboolean same_content(const Content *x, const Content *y) {
    return (x->device == y->device && x->inode == y->inode) || (x->digest && g_strcmp0(x->digest, y->digest) == 0);
}

GArray *rmil_cohort_twins(const RmilCohort *cohort) {
    GArray *twins = g_array_new(FALSE, FALSE, sizeof(RmilTwins));
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Content));
    g_array_set_clear_func(all, content_clear);
    for (int64_t i = 0; i < cohort->count; i++) {
        add_content(all, cohort->rows[i].slide, "slide", i);
        add_content(all, cohort->rows[i].features, "features", i);
    }
    g_array_sort(all, compare_content);
    Content *c = (Content *)(void *)all->data;
    for (guint i = 0; i < all->len; i++) {
        const gboolean before = i > 0 && c[i - 1].what == c[i].what && c[i - 1].size == c[i].size;
        const gboolean after = i + 1 < all->len && c[i + 1].what == c[i].what && c[i + 1].size == c[i].size;
        if (before || after) c[i].digest = digest(&c[i]);
    }
    g_array_sort(all, compare_content);
    for (guint i = 1; i < all->len; i++) {
        if (c[i].what != c[i - 1].what || c[i].size != c[i - 1].size || !same_content(&c[i], &c[i - 1])) continue;
        const RmilTwins pair = {c[i - 1].row, c[i].row, c[i].what};
        gboolean known = FALSE; /* through another of its files */
        for (guint k = 0; k < twins->len && !known; k++)
            known = g_array_index(twins, RmilTwins, k).first == pair.first && g_array_index(twins, RmilTwins, k).second == pair.second;
        if (!known) g_array_append_val(twins, pair);
    }
    return twins;
}

gboolean rmil_cohort_check_twins(const RmilCohort *cohort, const GArray *twins, const RmilSplit *splits, const RmilMonitor *monitor,
                                 GError **error) {
    for (guint i = 0; i < twins->len; i++) {
        const RmilTwins *pair = &g_array_index(twins, RmilTwins, i);
        const RmilCohortRow *a = &cohort->rows[pair->first], *b = &cohort->rows[pair->second];
        const RmilSplit x = splits ? splits[pair->first] : a->split, y = splits ? splits[pair->second] : b->split;
        g_autofree char *both = g_strdup_printf(
            "%s: lines %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT ": %s and %s have the same %s (same size, and the same bytes "
            "wherever compared)",
            cohort->path, a->line, b->line, a->id, b->id, strcmp(pair->what, "slide") == 0 ? "slide" : "features");
        if (x != RMIL_SPLIT_NONE && y != RMIL_SPLIT_NONE && x != y)
            return rmil_fail(error, RMIL_ERROR_DATA,
                             "%s, but one is in %s and one in %s: remove one, or give both the same patient and set", both,
                             rmil_split_name(x), rmil_split_name(y));
        rmil_monitor_warn(monitor, "%s%s: it counts twice", both,
                          rmil_target_equal(&cohort->task, &a->target, &b->target) ? "" : " but different labels");
    }
    return TRUE;
}
