/* SPDX-License-Identifier: Apache-2.0 */
/* The work folder: its cohort, its lock, and the paths of a slide's products. */
#include "prepare-private.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define CLAIMS ".slides" /* folder for the locks of slides, if several processes share the work folder */

static void sweep(const char *folder) {
    static const char *const kinds[] = {"tiles", "masks", "labels", "features"};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *path = g_build_filename(folder, kinds[i], NULL);
        rmil_folder_sweep(path);
    }
}

/* Tile options that were not given are the encoder's; an unknown encoder fails when it is to encode. */
static gboolean use_tiles_of(RmilPrepareOptions *options, GError **error) {
    int px;
    double mpp;
    rmil_prepare_usual_tile(options, &px, &mpp);
    if (options->tile_mpps && !rmil_tile_mpps_parse(options->tile_mpps, &options->tile_mpp, &options->second_mpp, error)) return FALSE;
    if (options->tile_px == 0) options->tile_px = px;
    if (options->tile_mpp == 0) options->tile_mpp = mpp;
    if (options->overlap < 1) options->overlap = round(options->overlap * options->tile_px);
    return options->overlap <= 0.9 * options->tile_px ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT, "--overlap %g is more than 0.9 of a tile's side, which is %d px", options->overlap,
                     options->tile_px);
}

/* An encoder that was not named is the default; "auto" is replaced by the one in the weights. */
static gboolean name_encoder(RmilWork *work, GError **error) {
    RmilPrepareOptions *options = &work->options;
    if (!options->encoder) options->encoder = g_strdup(rmil_encoder_names()[0]);
    if (strcmp(options->encoder, "auto") != 0) return TRUE;
    const char *name = rmil_encoder_guess(options->weights, error);
    if (!name) return FALSE;
    rmil_monitor_warn(&work->monitor, "--encoder auto: the weights belong to %s, which is used", name);
    g_free(options->encoder);
    options->encoder = g_strdup(name);
    return TRUE;
}

RmilWork *rmil_work_new(const char *folder, const RmilPrepareOptions *options, const RmilMonitor *monitor, GError **error) {
    if (!rmil_prepare_options_check(options, error)) return NULL;
    RmilWork *work = g_new0(RmilWork, 1);
    work->folder = g_strdup(folder);
    rmil_prepare_options_copy(options, &work->options);
    work->options.threads = rmil_threads(options->threads);
    work->tiles = work->annotated_patches = -1;
    work->gate = rmil_gate_new(monitor, &work->monitor);
    const RmilEncoderOptions how = rmil_prepare_encoder(&work->options);
    if (!name_encoder(work, error) ||
        (rmil_encoder_info(work->options.encoder, NULL) && !rmil_encoder_check(work->options.encoder, &how, error))) {
        rmil_work_free(work);
        return NULL;
    }
    if (use_tiles_of(&work->options, error)) return work;
    rmil_work_free(work);
    return NULL;
}

void rmil_work_free(RmilWork *work) {
    if (!work) return;
    if (work->lock) sweep(work->folder);
    if (work->who) {
        g_autofree char *claims = g_build_filename(work->folder, CLAIMS, NULL);
        g_rmdir(claims); /* if it is empty */
    }
    g_free(work->who);
    for (int64_t i = 0; work->cohort && i < work->cohort->count; i++) g_free(work->errors[i]);
    if (work->cohort) rmil_cohort_free(work->cohort);
    g_free(work->errors);
    g_free(work->folder);
    g_free(work->encoder);
    rmil_prepare_options_clear(&work->options);
    rmil_lock_free(work->lock);
    rmil_gate_free(work->gate);
    g_free(work);
}

void rmil_work_take(RmilWork *work, RmilCohort *cohort) {
    work->cohort = cohort;
    work->errors = g_new0(char *, cohort->count);
    if (work->options.tile_mpp >= 4)
        rmil_monitor_warn(&work->monitor,
                          "--tile-mpp is in µm per pixel, and %g is very coarse: if you meant the magnification, 20× is 0.5 and 40× "
                          "is 0.25",
                          work->options.tile_mpp);
    rmil_work_warn_all(work, (const char *const *)cohort->warnings);
}

gboolean rmil_work_read_as(RmilWork *work, const char *cohort, const RmilReading *how, GError **error) {
    g_autoptr(RmilCohort) read = rmil_cohort_read_as(cohort, how, error);
    if (!read || !rmil_lesion_check(work->options.lesion, &read->task, error)) return FALSE;
    rmil_work_take(work, g_steal_pointer(&read));
    return TRUE;
}

gboolean rmil_work_read(RmilWork *work, const char *cohort, GError **error) {
    const RmilReading usual = {.classes = NULL};
    return rmil_work_read_as(work, cohort, &usual, error);
}

/* For a project that was moved or copied as a whole: the old file is gone, or this one is a copy of it by size and modification time. */
static gboolean same_slide(const char *now, const char *before) {
    g_autofree char *a = g_path_get_basename(now), *b = g_path_get_basename(before);
    if (strcmp(a, b) != 0) return FALSE;
    if (!g_file_test(before, G_FILE_TEST_EXISTS)) return TRUE;
    g_autofree char *x = rmil_file_identity(now), *y = rmil_file_identity(before);
    return strcmp(x, y) == 0;
}

/* DIR/cohort.csv is that of the cohort processed before. The table may grow, shrink and move, but an id must stay the same slide, and some
 * must remain. */
static gboolean same_cohort(const RmilWork *work, GError **error) {
    g_autofree char *path = g_build_filename(work->folder, "cohort.csv", NULL);
    gboolean there;
    if (!rmil_file_exists(path, &there, error)) return FALSE;
    if (!there) return TRUE;
    g_autofree char *full = g_canonicalize_filename(path, NULL), *given = g_canonicalize_filename(work->cohort->path, NULL);
    if (strcmp(full, given) == 0) return TRUE;
    g_autoptr(RmilTable) before = rmil_table_read(path, error);
    if (!before) return FALSE;
    const int id = rmil_table_find(before, "id"), slide = rmil_table_find(before, "slide");
    g_autoptr(GHashTable) slides = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < rmil_table_rows(before); i++)
        g_hash_table_insert(slides, (gpointer)rmil_table_cell(before, i, id), (gpointer)rmil_table_cell(before, i, slide));
    int64_t known = 0;
    for (int64_t i = 0; i < work->cohort->count; i++) {
        const RmilCohortRow *row = &work->cohort->rows[i];
        const char *was = g_hash_table_lookup(slides, row->id);
        known += was != NULL;
        if (!was || !*was || !row->slide || strcmp(row->slide, was) == 0 || same_slide(row->slide, was)) continue;
        return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                         "%s: contains work on another cohort, in which %s is %s, not %s: give another "
                         "-o DIR",
                         work->folder, row->id, was, row->slide);
    }
    if (known || !rmil_table_rows(before)) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "%s: contains work on another cohort (%s …), and %s has none of its slides: give another -o DIR", work->folder,
                     rmil_table_cell(before, 0, id), work->cohort->path);
}

gboolean rmil_work_lock(RmilWork *work, RmilLockMode mode, const char *who, GError **error) {
    if (!work->folder) return rmil_fail(error, RMIL_ERROR_ARGUMENT, "a work without a folder has nothing to lock");
    if (work->cohort && !same_cohort(work, error)) return FALSE;
    work->lock = rmil_lock_take(work->folder, ".lock", mode, who, &work->monitor, error);
    return work->lock != NULL;
}

/* What processes that share a folder must agree on: the slides, and everything that determines their products. */
static char *terms_of(const RmilWork *work) {
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (int64_t i = 0; i < work->cohort->count; i++) {
        const RmilCohortRow *row = &work->cohort->rows[i];
        const char *cells[] = {row->id, row->slide, row->features, row->annotation};
        for (gsize c = 0; c < G_N_ELEMENTS(cells); c++)
            g_checksum_update(sum, (const guchar *)(cells[c] ? cells[c] : ""), cells[c] ? (gssize)strlen(cells[c]) + 1 : 1);
    }
    const RmilPrepareOptions *o = &work->options;
    g_autoptr(JsonNode) how = rmil_preprocessing_get(o);
    g_autofree char *features = rmil_json_print(how), *lesion = o->lesion ? g_strjoinv("\n", o->lesion) : NULL,
                    *exclusion = o->exclusion ? g_strjoinv("\n", o->exclusion) : NULL;
    g_autofree char *labels = g_strdup_printf("%a %a %a %d\n%s\n%s", o->mpp, o->padding, o->label_threshold, o->uncropped,
                                              lesion ? lesion : "", exclusion ? exclusion : "");
    g_checksum_update(sum, (const guchar *)features, -1);
    g_checksum_update(sum, (const guchar *)labels, -1);
    return g_strdup(g_checksum_get_string(sum));
}

gboolean rmil_work_share(RmilWork *work, const char *who, GError **error) {
    if (!rmil_work_ready(work, error) || !same_cohort(work, error)) return FALSE;
    g_autofree char *terms = terms_of(work);
    work->who = g_strdup(who);
    work->lock = rmil_lock_share(work->folder, ".lock", terms, who, &work->monitor, error);
    return work->lock != NULL;
}

gboolean rmil_work_claim(const RmilWork *work, int64_t row, RmilLock **claim, gboolean *elsewhere, GError **error) {
    *claim = NULL;
    *elsewhere = FALSE;
    if (!work->who) return TRUE;
    g_autofree char *folder = g_build_filename(work->folder, CLAIMS, NULL), *name = g_strconcat(work->cohort->rows[row].id, ".lock", NULL);
    GError *reason = NULL;
    *claim = rmil_lock_take(folder, name, RMIL_LOCK_TRY, work->who, &work->monitor, &reason);
    *elsewhere = !*claim && !reason;
    if (reason) g_propagate_error(error, reason);
    return reason == NULL;
}

void rmil_work_say_shared(const RmilWork *work) {
    rmil_monitor_warn(&work->monitor,
                      "%s: another process is working on some of the slides: this one does the others first, then "
                      "waits",
                      work->folder);
}

gboolean rmil_work_ready(const RmilWork *work, GError **error) {
    if (work->folder && work->cohort) return TRUE;
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "a work without a %s makes nothing", work->folder ? "cohort" : "folder");
}

char *rmil_work_path(const RmilWork *work, const char *kind, int64_t row, const char *ending) {
    g_autofree char *name = g_strconcat(work->cohort->rows[row].id, ".", ending, NULL);
    return g_build_filename(work->folder, kind, name, NULL);
}

char *rmil_work_features(const RmilWork *work, int64_t row) {
    const char *given = work->cohort->rows[row].features;
    return given ? g_strdup(given) : rmil_work_path(work, "features", row, "h5");
}

gboolean rmil_work_encodes(const RmilWork *work) {
    for (int64_t i = 0; i < work->cohort->count; i++)
        if (!work->cohort->rows[i].features) return TRUE;
    return FALSE;
}

double rmil_work_mpp(const RmilWork *work, int64_t row) {
    const double given = work->cohort->rows[row].mpp;
    return given > 0 ? given : work->options.mpp;
}

RmilSlide *rmil_work_open_slide(const RmilWork *work, int64_t row, GError **error) {
    RmilSlide *slide = rmil_slide_open(work->cohort->rows[row].slide, rmil_work_mpp(work, row), error);
    rmil_work_warn_all(work, slide ? rmil_slide_info(slide)->warnings : NULL);
    return slide;
}

void rmil_work_failed(RmilWork *work, const char *stage, int64_t row, GError *error) {
    if (!work->errors[row]) work->errors[row] = g_strdup(error->message);
    rmil_monitor_problem(&work->monitor, stage, work->cohort->rows[row].id, error);
    g_error_free(error);
}

void rmil_work_warn_all(const RmilWork *work, const char *const *warnings) {
    for (; warnings && *warnings; warnings++) rmil_monitor_warn(&work->monitor, "%s", *warnings);
}

void rmil_work_made_again(const RmilWork *work, GError *error) {
    if (error) rmil_monitor_warn(&work->monitor, "%s: it is made again", error->message);
    g_clear_error(&error);
}

char *rmil_work_made_from(const RmilWork *work, const char *path) {
    GError *error = NULL;
    char *source = NULL;
    if (!rmil_bag_source(path, &source, &error)) rmil_work_made_again(work, error);
    return source;
}
