/* SPDX-License-Identifier: Apache-2.0 */
/* The features of a cohort in memory. */
#include "bag/pixels.h"
#include "cohort-private.h"
#include "tensors/tensors-private.h"

#include <string.h>

enum { PIXEL_BYTES = 512 << 20, PIXEL_THREADS = 8 };

static const char *const bags_of[] = {"slide", "patient", NULL};       /* as RmilBagOf */
static const char *const precisions[] = {"float32", "bfloat16", NULL}; /* as RmilPrecision */

const RmilOption rmil_set_options[] = {
    {RMIL_WORD("precision", "precision", RMIL_FLOAT32, precisions, "NAME", "number type of features in memory"), .scope = RMIL_SCOPE_DATA,
     .offset = offsetof(RmilBagSetOptions, precision)},
    {RMIL_WORD("bag", "bag", RMIL_BAG_SLIDE, bags_of, "WHAT", "what forms one bag: a slide, or all slides of a patient"),
     .scope = RMIL_SCOPE_DATA, .offset = offsetof(RmilBagSetOptions, bag)},
    {.name = "memory",
     .key = "memory",
     .type = RMIL_OPTION_SIZE,
     .scope = RMIL_SCOPE_MACHINE,
     .usual = "all in memory",
     .unit = "SIZE",
     .help = "memory limit for features; the rest is kept in memory-mapped files",
     .offset = offsetof(RmilBagSetOptions, memory)},
    {0},
};

void rmil_bag_set_options_init(RmilBagSetOptions *options) {
    *options = (RmilBagSetOptions){.threads = 0};
    rmil_options_init(rmil_set_options, options);
}

void rmil_bag_set_free(RmilBagSet *set) {
    if (!set) return;
    for (int64_t i = 0; i < set->count; i++) {
        rmil_bag_free(set->bags[i]);
        g_free(set->errors[i]);
    }
    rmil_pixel_cache_free(set->pixels);
    g_free(set->bags);
    g_free(set->errors);
    g_free(set);
}

typedef struct {
    const RmilCohort *cohort;
    const RmilBagSetOptions *options;
    const RmilMonitor *monitor;
    RmilBagSet *set;
    gboolean *mapped; /* which bags are in mapped files */
    gboolean measure; /* this pass reads only sizes */
    int64_t done;
    GMutex lock; /* protects done and the monitor */
} Load;

static char *feature_path(const Load *load, const RmilCohortRow *row) {
    if (row->features) return g_strdup(row->features);
    if (!load->options->features) return NULL;
    g_autofree char *name = g_strconcat(row->id, ".h5", NULL);
    return g_build_filename(load->options->features, name, NULL);
}

static gboolean read_labels(const char *path, RmilBag *bag, GError **error) {
    if (!bag->patch_labels && !(bag->patch_labels = rmil_alloc(bag->count, 1, error))) return FALSE;
    return rmil_labels_read(path, bag->count, bag->patch_labels, error);
}

static gboolean merge_labels(const Load *load, const RmilCohortRow *row, RmilBag *bag, GError **error) {
    static const char *const endings[] = {".h5", ".npy"};
    if (row->patch_labels) return read_labels(row->patch_labels, bag, error);
    for (gsize i = 0; load->options->labels && i < G_N_ELEMENTS(endings); i++) {
        g_autofree char *name = g_strconcat(row->id, endings[i], NULL), *path = g_build_filename(load->options->labels, name, NULL);
        gboolean there;
        if (!rmil_file_exists(path, &there, error)) return FALSE;
        if (there) return read_labels(path, bag, error);
    }
    return TRUE;
}

typedef struct {
    const char *path, *id;
    RmilPrecision precision;
} Slide;

static RmilBag *read_slide(gpointer user, RmilBagFlags flags, GError **error) {
    const Slide *slide = user;
    return rmil_bag_read(slide->path, slide->id, slide->precision, flags, error);
}

/* For a single slide. The features of a bag of several slides are mapped as a whole. */
static RmilBag *load_slide(const Load *load, const RmilCohortRow *row, gboolean mapped, RmilBagFlags flags, GError **error) {
    g_autofree char *path = feature_path(load, row);
    if (!path) {
        rmil_fail(error, RMIL_ERROR_DATA, "%s: line %" G_GINT64_FORMAT ": slide \"%s\" has no features", load->cohort->path, row->line,
                  row->id);
        return NULL;
    }
    Slide slide = {path, row->id, load->options->precision};
    const char *const paths[] = {path};
    g_autoptr(RmilBag) bag = mapped ? rmil_bag_map(paths, 1, read_slide, &slide, load->options, error) : read_slide(&slide, flags, error);
    if (!bag) return NULL;
    if (bag->dim == 0) {
        rmil_fail(error, RMIL_ERROR_DATA, "%s: contains coordinates but no features", path);
        return NULL;
    }
    rmil_bag_set_slide(bag, row->slide, row->mpp, load->set->pixels);
    if (load->measure) return g_steal_pointer(&bag);
    rmil_bag_locate(bag, row->slide, row->mpp, NULL); /* training does not need coordinates; code that does requests coords_um == 0 */
    return merge_labels(load, row, bag, error) ? g_steal_pointer(&bag) : NULL;
}

/* The slides of a patient as one. */
typedef struct {
    const Load *load;
    const RmilCohortRow *row;
} Patient;

static RmilBag *read_patient(gpointer user, RmilBagFlags flags, GError **error) {
    const Patient *patient = user;
    const GArray *members = patient->row->members;
    g_autoptr(GPtrArray) bags = g_ptr_array_new_with_free_func((GDestroyNotify)rmil_bag_free);
    for (guint m = 0; m < members->len; m++) {
        const RmilCohortRow *slide = &patient->load->cohort->slides->rows[g_array_index(members, int64_t, m)];
        GError *reason = NULL;
        RmilBag *bag = load_slide(patient->load, slide, FALSE, flags, &reason);
        if (!bag) {
            g_propagate_prefixed_error(error, reason, "slide \"%s\" of \"%s\": ", slide->id, patient->row->id);
            return NULL;
        }
        g_ptr_array_add(bags, bag);
    }
    return rmil_bag_join(bags, patient->row->id, error);
}

static RmilBag *load_patient(const Load *load, const RmilCohortRow *row, gboolean mapped, GError **error) {
    Patient patient = {load, row};
    if (!mapped) return read_patient(&patient, load->measure ? RMIL_BAG_NO_FEATURES : RMIL_BAG_ALL, error);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    for (guint m = 0; m < row->members->len; m++) {
        char *path = feature_path(load, &load->cohort->slides->rows[g_array_index(row->members, int64_t, m)]);
        if (path) g_ptr_array_add(paths, path);
    }
    return rmil_bag_map((const char *const *)paths->pdata, paths->len, read_patient, &patient, load->options, error);
}

static RmilBag *load_bag(const Load *load, int64_t i, GError **error) {
    const RmilCohortRow *row = &load->cohort->rows[i];
    const gboolean mapped = !load->measure && load->mapped[i];
    if (row->members) return load_patient(load, row, mapped, error);
    return load_slide(load, row, mapped, load->measure ? RMIL_BAG_NO_FEATURES : RMIL_BAG_ALL, error);
}

static gboolean load_task(int64_t i, int worker, gpointer user, GError **error) {
    Load *load = user;
    if (load->set->errors[i]) return TRUE;
    g_autoptr(GError) reason = NULL;
    g_clear_pointer(&load->set->bags[i], rmil_bag_free);
    load->set->bags[i] = load_bag(load, i, &reason);
    if (!load->set->bags[i]) load->set->errors[i] = g_strdup(reason->message);
    g_mutex_lock(&load->lock);
    load->done++;
    if (!load->measure) rmil_monitor_progress(load->monitor, "bags", load->done, load->set->count);
    g_mutex_unlock(&load->lock);
    return TRUE;
}

/* The most frequent dimension of the bags; if several are equally frequent, the first. */
static int64_t usual_dim(const RmilBagSet *set) {
    int64_t best = 0, most = 0;
    for (int64_t i = 0; i < set->count; i++) {
        int64_t same = 0;
        for (int64_t j = 0; set->bags[i] && j < set->count; j++) same += set->bags[j] && set->bags[j]->dim == set->bags[i]->dim;
        if (same <= most) continue;
        most = same;
        best = set->bags[i]->dim;
    }
    return best;
}

static void refuse_other_dims(RmilBagSet *set) {
    set->dim = usual_dim(set);
    for (int64_t i = 0; i < set->count; i++) {
        RmilBag *bag = set->bags[i];
        if (!bag || bag->dim == set->dim) continue;
        set->errors[i] = g_strdup_printf("%s: has features of size %" G_GINT64_FORMAT ", but the others have %" G_GINT64_FORMAT, bag->id,
                                         bag->dim, set->dim);
        g_clear_pointer(&set->bags[i], rmil_bag_free);
    }
}

static int64_t feature_bytes(const RmilBag *bag) { return bag->count * bag->dim * (int64_t)rmil_precision_bytes(bag->precision); }

static int64_t other_bytes(const RmilBag *bag) {
    return bag->count * (int64_t)((bag->coords ? 2 * sizeof(int64_t) : 0) + (bag->tissue ? sizeof(float) : 0) + 1) + rmil_pixels_bytes(bag);
}

/* Decides which bags are held in memory: the first in the cohort's order, as many as fit beside what all bags need apart from features, and
 * beside the bags under construction while others are converted. */
static gboolean plan_memory(Load *load, GError **error) {
    const RmilBagSet *set = load->set;
    int64_t all = 0, others = 0, largest = 0, budget = load->options->memory;
    for (int64_t i = 0; i < set->count; i++) {
        if (!set->bags[i]) continue;
        all += feature_bytes(set->bags[i]);
        others += other_bytes(set->bags[i]);
        largest = MAX(largest, feature_bytes(set->bags[i]));
    }
    if (all + others <= budget) return TRUE;
    const int64_t copies = load->cohort->slides ? 2 : 1; /* for a patient, the slides and the joined bag */
    int64_t making = copies * largest * MIN(rmil_threads(load->options->threads), set->count), room = budget - others - making;
    if (!load->options->cache || room < 0)
        return rmil_fail(error, RMIL_ERROR_MEMORY, "the bags need %.2f GiB, but only %.2f GiB is allowed (--memory)%s",
                         (double)(all + others) / 0x1p30, (double)budget / 0x1p30,
                         load->options->cache ? "; that is too little even with features in files" : "");
    for (int64_t i = 0; i < set->count; i++) {
        if (!set->bags[i]) continue;
        int64_t need = feature_bytes(set->bags[i]);
        load->mapped[i] = need > room;
        if (!load->mapped[i]) room -= need;
    }
    return TRUE;
}

static gboolean summarise(RmilBagSet *set, const RmilCohort *cohort, GError **error) {
    const char *first = NULL;
    refuse_other_dims(set);
    for (int64_t i = 0; i < set->count; i++) {
        if (!set->bags[i]) {
            if (!first) first = set->errors[i];
            continue;
        }
        set->loaded++;
        set->memory_bytes += other_bytes(set->bags[i]);
        *(set->bags[i]->mapped ? &set->mapped_bytes : &set->memory_bytes) += feature_bytes(set->bags[i]);
    }
    if (set->loaded > 0) return TRUE;
    return rmil_fail(error, RMIL_ERROR_DATA, "%s: no bag can be loaded; the first: %s", cohort->path, first ? first : "there are none");
}

/* Finds damaged files before the bags fill the memory: a large process is slow to fork. */
static void examine_files(const Load *load) {
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    const RmilCohort *slides = load->cohort->slides ? load->cohort->slides : load->cohort;
    for (int64_t i = 0; i < slides->count; i++) {
        const RmilCohortRow *row = &slides->rows[i];
        char *path = feature_path(load, row);
        if (path) g_ptr_array_add(paths, path);
        if (row->patch_labels) g_ptr_array_add(paths, g_strdup(row->patch_labels));
    }
    rmil_bag_examine((const char *const *)paths->pdata, paths->len);
}

RmilBagSet *rmil_bag_set_load(const RmilCohort *cohort, const RmilBagSetOptions *options, const RmilMonitor *monitor, GError **error) {
    g_autoptr(RmilBagSet) set = g_new0(RmilBagSet, 1);
    set->count = cohort->count;
    set->bags = g_new0(RmilBag *, (gsize)cohort->count);
    set->errors = g_new0(char *, (gsize)cohort->count);
    set->pixels = rmil_pixel_cache_new(PIXEL_BYTES, MIN(rmil_threads(options->threads), PIXEL_THREADS));
    g_autofree gboolean *mapped = g_new0(gboolean, (gsize)cohort->count);
    Load load = {.cohort = cohort, .options = options, .monitor = monitor, .set = set, .mapped = mapped};
    g_mutex_init(&load.lock);
    gboolean done = TRUE;
    examine_files(&load);
    if (options->memory > 0) {
        load.measure = TRUE;
        done = rmil_parallel(cohort->count, options->threads, load_task, &load, error) && plan_memory(&load, error);
        load.measure = FALSE;
        load.done = 0;
    }
    done = done && rmil_parallel(cohort->count, options->threads, load_task, &load, error) && summarise(set, cohort, error);
    g_mutex_clear(&load.lock);
    return done ? g_steal_pointer(&set) : NULL;
}
