/* The work folder: its options, its cohort, and where the products of a slide lie. */
#include "work.h"

#include <math.h>
#include <string.h>

void work_init(Work *work, Cli *cli) {
    RmilTileOptions tile;
    rmil_tile_options_init(&tile);
    *work = (Work){.cli = cli,
                   .tile_px = tile.tile_px,
                   .tile_mpp = tile.mpp,
                   .min_tissue = tile.min_tissue,
                   .mask_mpp = 4,
                   .label_threshold = 0.05,
                   .labels = "labels"};
}

static void sweep(const char *folder) {
    static const char *const kinds[] = {"tiles", "masks", "labels", "features"};
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *path = g_build_filename(folder, kinds[i], NULL);
        rmil_folder_sweep(path);
    }
}

void work_clear(Work *work) {
    if (work->lock && work->folder) sweep(work->folder);
    if (work->cohort) rmil_cohort_free(work->cohort);
    if (work->stages) json_object_unref(work->stages);
    g_free(work->failed);
    g_free(work->folder);
    g_free(work->encoder);
    g_free(work->weights);
    g_strfreev(work->lesion);
    g_strfreev(work->exclusion);
    rmil_lock_free(work->lock);
}

#define ENTRIES(...) g_memdup2((const GOptionEntry[]){__VA_ARGS__, {0}}, sizeof((const GOptionEntry[]){__VA_ARGS__, {0}}))

GOptionEntry *work_output_entries(Work *work) {
    return ENTRIES({"output", 'o', 0, G_OPTION_ARG_FILENAME, &work->folder, "work folder", "DIR"});
}

GOptionEntry *work_tile_entries(Work *work) {
    return ENTRIES(
        {"mpp", 0, 0, G_OPTION_ARG_DOUBLE, &work->mpp, "µm per level-0 pixel of every slide (default: what the slide says)", "X"},
        {"tile-mpp", 0, 0, G_OPTION_ARG_DOUBLE, &work->tile_mpp, "µm per pixel of a tile (default: 0.5, which is 20×)", "X"},
        {"min-tissue", 0, 0, G_OPTION_ARG_DOUBLE, &work->min_tissue, "least share of tissue in a tile (default: 0.05)", "X"},
        {"mask-mpp", 0, 0, G_OPTION_ARG_DOUBLE, &work->mask_mpp, "µm per pixel of the tissue mask (default: 4)", "X"});
}

GOptionEntry *work_encode_entries(Work *work) {
    return ENTRIES({"encoder", 0, 0, G_OPTION_ARG_STRING, &work->encoder, "texture (default, built in) or resnet50", "NAME"},
                   {"weights", 0, 0, G_OPTION_ARG_FILENAME, &work->weights, "the encoder's weight file", "FILE"},
                   {"encode-bfloat16", 0, 0, G_OPTION_ARG_NONE, &work->bfloat16, "run the encoder in bfloat16", NULL});
}

#define CROP_ENTRY                                                                                                                         \
    {                                                                                                                                      \
        "uncropped", 0, 0, G_OPTION_ARG_NONE, &work->uncropped,                                                                            \
            "GeoJSON and masks count from the corner of level 0, not of the scanned area, which is all that QuPath shows", NULL            \
    }

GOptionEntry *work_crop_entries(Work *work) { return ENTRIES(CROP_ENTRY); }

GOptionEntry *work_label_entries(Work *work) {
    return ENTRIES(
        {"lesion", 0, 0, G_OPTION_ARG_STRING_ARRAY, &work->lesion, "annotation group or class that is lesion; may be given again", "NAME"},
        {"exclude", 0, 0, G_OPTION_ARG_STRING_ARRAY, &work->exclusion, "group or class that is cut out; may be given again", "NAME"},
        {"padding", 0, 0, G_OPTION_ARG_DOUBLE, &work->padding, "grow annotations by so many level-0 pixels (default: 0)", "PX"},
        {"preview", 0, 0, G_OPTION_ARG_NONE, &work->preview, "draw outlines and annotated patches on the slide: DIR/labels/ID.png", NULL},
        CROP_ENTRY,
        {"label-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &work->label_threshold, "a patch is annotated above this share (default: 0.05)",
         "X"});
}

static gboolean in_range(const char *name, double value, double low, double high, GError **error) {
    if (value >= low && value <= high) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s %g is not in %g … %g", name, value, low, high);
    return FALSE;
}

static gboolean check_options(const Work *work, GError **error) {
    if (!work->folder) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "-o DIR is missing");
        return FALSE;
    }
    return in_range("--mpp", work->mpp, 0, 100, error) && in_range("--tile-mpp", work->tile_mpp, 0.01, 100, error) &&
           in_range("--min-tissue", work->min_tissue, 0, 1, error) && in_range("--mask-mpp", work->mask_mpp, 0.1, 1000, error) &&
           in_range("--padding", work->padding, 0, 1e6, error) && in_range("--label-threshold", work->label_threshold, 0, 1, error);
}

gboolean work_adopt(Work *work, RmilCohort *cohort, GError **error) {
    work->cohort = cohort;
    if (!check_options(work, error)) return FALSE;
    if (work->tile_mpp >= 4)
        rmil_monitor_warn(&work->cli->monitor,
                          "--tile-mpp is µm per pixel: %g is very coarse. Is it the magnification? 20× has 0.5, 40× has 0.25",
                          work->tile_mpp);
    if (!work->encoder) work->encoder = g_strdup("texture");
    cli_warn_all(work->cli, (const char *const *)cohort->warnings);
    work->failed = g_new0(gboolean, work->cohort->count);
    work->stages = json_object_new();
    return TRUE;
}

gboolean work_open(Work *work, const char *cohort, GError **error) {
    if (!check_options(work, error)) return FALSE;
    RmilCohort *read = rmil_cohort_read(cohort, error);
    return read && work_adopt(work, read, error);
}

/* A project that was moved or copied whole: the file of before is gone, or a copy of this one by size and time of change. */
static gboolean same_slide(const char *now, const char *before) {
    g_autofree char *a = g_path_get_basename(now), *b = g_path_get_basename(before);
    if (strcmp(a, b) != 0) return FALSE;
    if (!g_file_test(before, G_FILE_TEST_EXISTS)) return TRUE;
    g_autofree char *x = rmil_file_identity(now), *y = rmil_file_identity(before);
    return strcmp(x, y) == 0;
}

/* DIR/cohort.csv is of the cohort that was worked on before. The table may grow, shrink and move, but an id must stay the same
 * slide, and some must. */
static gboolean same_cohort(const Work *work, GError **error) {
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
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT,
                    "%s: holds the work on another cohort, in which %s is %s, not %s: give another -o DIR", work->folder, row->id, was,
                    row->slide);
        return FALSE;
    }
    if (known || !rmil_table_rows(before)) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT,
                "%s: holds the work on another cohort (%s …), of which %s has no slide: give another -o DIR", work->folder,
                rmil_table_cell(before, 0, id), work->cohort->path);
    return FALSE;
}

gboolean work_lock(Work *work, GError **error) {
    g_autofree char *who = g_strdup_printf("rankmil %s", work->cli->name);
    if (work->cohort && !same_cohort(work, error)) return FALSE;
    work->lock = rmil_lock_take(work->folder, ".lock", RMIL_LOCK_ALONE, who, &work->cli->monitor, error);
    return work->lock != NULL;
}

char *work_path(const Work *work, const char *kind, int64_t row, const char *ending) {
    g_autofree char *name = g_strconcat(work->cohort->rows[row].id, ".", ending, NULL);
    return g_build_filename(work->folder, kind, name, NULL);
}

char *work_features(const Work *work, int64_t row) {
    const char *given = work->cohort->rows[row].features;
    return given ? g_strdup(given) : work_path(work, "features", row, "h5");
}

char *work_labels(const Work *work, int64_t row) {
    const RmilCohortRow *given = &work->cohort->rows[row];
    return given->annotation ? work_path(work, work->labels, row, "h5") : g_strdup(given->patch_labels);
}

double work_mpp(const Work *work, int64_t row) {
    double given = work->cohort->rows[row].mpp;
    return given > 0 ? given : work->mpp;
}

RmilSlide *work_open_slide(const Work *work, int64_t row, GError **error) {
    RmilSlide *slide = rmil_slide_open(work->cohort->rows[row].slide, work_mpp(work, row), error);
    cli_warn_all(work->cli, slide ? rmil_slide_info(slide)->warnings : NULL);
    return slide;
}

/* The slide of a row for its scanned area alone: its resolution does not matter. NULL: not needed, or not to be had. */
static RmilSlide *open_for_bounds(const Work *work, const RmilCohortRow *row) {
    if (!rmil_annotation_cropped(row->annotation)) return NULL;
    if (!row->slide) {
        rmil_monitor_warn(&work->cli->monitor,
                          "annotations of rows without a slide count from the corner of level 0; for QuPath's of MIRAX, "
                          "Leica and Ventana slides give the slide too, which says where its scanned area begins");
        return NULL;
    }
    g_autoptr(GError) error = NULL;
    RmilSlide *slide = rmil_slide_open(row->slide, 1, &error);
    if (!slide)
        rmil_monitor_warn(&work->cli->monitor,
                          "%s: counts from the corner of level 0, since its slide does not say where the scanned area "
                          "begins: %s",
                          row->annotation, error->message);
    return slide;
}

static void set_bounds(RmilAnnotationOptions *options, const RmilSlideInfo *info) {
    options->slide_width = info->width;
    options->slide_height = info->height;
    options->bounds_x = info->bounds_x;
    options->bounds_y = info->bounds_y;
    options->bounds_width = info->bounds_width;
    options->bounds_height = info->bounds_height;
}

RmilRegion *work_read_region(const Work *work, const RmilCohortRow *row, RmilSlide *slide, const RmilBag *bag, double padding,
                             GError **error) {
    RmilAnnotationOptions options;
    rmil_annotation_options_init(&options);
    if (work->lesion) options.lesion = (const char *const *)work->lesion;
    if (work->exclusion) options.exclusion = (const char *const *)work->exclusion;
    options.padding = padding;
    options.uncropped = work->uncropped;
    g_autoptr(RmilSlide) opened = slide || work->uncropped ? NULL : open_for_bounds(work, row);
    if (slide || opened) set_bounds(&options, rmil_slide_info(slide ? slide : opened));
    if (bag && bag->slide_width > 0) {
        options.slide_width = bag->slide_width;
        options.slide_height = bag->slide_height;
    }
    RmilRegion *region = rmil_region_read(row->annotation, &options, error);
    if (region) cli_warn_all(work->cli, rmil_region_warnings(region));
    return region;
}

char *work_annotation_frame(const Work *work, const RmilCohortRow *row) {
    g_autoptr(RmilSlide) slide = work->uncropped ? NULL : open_for_bounds(work, row);
    const RmilSlideInfo *info = slide ? rmil_slide_info(slide) : NULL;
    if (!info || (info->bounds_width == info->width && info->bounds_height == info->height)) return g_strdup("");
    return g_strdup_printf("; scanned area of %" G_GINT64_FORMAT " × %" G_GINT64_FORMAT " px at (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                           ")",
                           info->bounds_width, info->bounds_height, info->bounds_x, info->bounds_y);
}

char *work_annotation_doubt(const RmilCohortRow *row, gboolean lesion) {
    if (row->label != 0 || !lesion) return NULL;
    return g_strdup_printf("has label 0, but %s outlines a lesion: one of the two is wrong", row->annotation);
}

RmilGrid *work_grid(const RmilBag *bag, GError **error) {
    g_autoptr(RmilGrid) grid = g_new0(RmilGrid, 1);
    grid->count = bag->count;
    if (!(grid->coords = rmil_try_new(bag->count, 2 * sizeof *bag->coords, error)) ||
        (bag->tissue && !(grid->tissue = rmil_try_new(bag->count, sizeof *bag->tissue, error))))
        return NULL;
    memcpy(grid->coords, bag->coords, (gsize)bag->count * 2 * sizeof *bag->coords);
    if (bag->tissue) memcpy(grid->tissue, bag->tissue, (gsize)bag->count * sizeof *bag->tissue);
    grid->tile_px = (int)bag->patch_size;
    grid->tile_level0 = bag->patch_size_level0;
    grid->downsample = bag->patch_size_level0 / bag->patch_size;
    grid->mpp = bag->target_mpp;
    grid->slide_width = bag->slide_width;
    grid->slide_height = bag->slide_height;
    return g_steal_pointer(&grid);
}

void work_made_again(const Work *work, GError *error) {
    if (error) rmil_monitor_warn(&work->cli->monitor, "%s: it is made again", error->message);
    g_clear_error(&error);
}

char *work_made_from(const Work *work, const char *path) {
    GError *error = NULL;
    char *source = NULL;
    if (!rmil_bag_source(path, &source, &error)) work_made_again(work, error);
    return source;
}

void work_stage_done(Work *work, const char *stage, int64_t made, int64_t kept, gint64 since) {
    double seconds = (double)(g_get_monotonic_time() - since) / G_USEC_PER_SEC;
    JsonObject *object = json_object_new();
    json_object_set_int_member(object, "made", made);
    json_object_set_int_member(object, "kept", kept);
    json_object_set_double_member(object, "seconds", seconds);
    json_object_set_object_member(work->stages, stage, object);
    if (kept) cli_say(work->cli, "%-8s %" G_GINT64_FORMAT " made, %" G_GINT64_FORMAT " already there, %.1f s", stage, made, kept, seconds);
    else cli_say(work->cli, "%-8s %" G_GINT64_FORMAT " made, %.1f s", stage, made, seconds);
}

gboolean work_write_cohort(Work *work, GError **error) {
    static const char *const known[] = {"id", "slide", "features", "patch_labels", "label", "split", "annotation", "patient", "mpp"};
    const RmilTable *table = work->cohort->table;
    g_autoptr(GString) out = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) rmil_csv_append(out, known[i], ',');
    g_autoptr(GPtrArray) extra = g_ptr_array_new();
    for (int c = 0; c < rmil_table_columns(table); c++) {
        const char *name = rmil_table_name(table, c);
        if (work->cohort->meaning[c]) continue;
        g_ptr_array_add(extra, GINT_TO_POINTER(c));
        rmil_csv_append(out, name, ',');
    }
    out->str[out->len - 1] = '\n';
    for (int64_t i = 0; i < work->cohort->count; i++) {
        const RmilCohortRow *row = &work->cohort->rows[i];
        g_autofree char *features = work_features(work, i), *labels = work_labels(work, i);
        gboolean there, labelled = FALSE;
        if (work->failed[i]) continue;
        if (!rmil_file_exists(features, &there, error) || (labels && !rmil_file_exists(labels, &labelled, error))) return FALSE;
        if (!there) continue;
        char number[32] = "", mpp[G_ASCII_DTOSTR_BUF_SIZE] = "";
        if (row->label >= 0) g_snprintf(number, sizeof number, "%d", row->label);
        if (work_mpp(work, i) > 0) g_ascii_dtostr(mpp, sizeof mpp, work_mpp(work, i));
        g_autofree char *features_full = g_canonicalize_filename(features, NULL);
        g_autofree char *labels_full = labelled ? g_canonicalize_filename(labels, NULL) : NULL;
        const char *cells[] = {row->id,
                               row->slide ? row->slide : "",
                               features_full,
                               labels_full ? labels_full : "",
                               number,
                               rmil_split_name(row->split),
                               row->annotation ? row->annotation : "",
                               row->patient ? row->patient : "",
                               mpp};
        for (gsize c = 0; c < G_N_ELEMENTS(cells); c++) rmil_csv_append(out, cells[c], ',');
        for (guint c = 0; c < extra->len; c++) rmil_csv_append(out, rmil_table_cell(table, i, GPOINTER_TO_INT(extra->pdata[c])), ',');
        out->str[out->len - 1] = '\n';
    }
    g_autofree char *path = g_build_filename(work->folder, "cohort.csv", NULL);
    g_autofree char *how = g_build_filename(work->folder, "preprocessing.json", NULL);
    g_autoptr(JsonObject) preprocessing = work_preprocessing(work);
    gboolean encodes = FALSE; /* else the options say nothing of how the features came about: what stands there stays */
    for (int64_t i = 0; i < work->cohort->count; i++) encodes = encodes || !work->cohort->rows[i].features;
    return (!encodes || cli_json_write(preprocessing, how, error)) && rmil_file_write(path, out->str, out->len, error);
}

RmilCohort *work_prepare(Work *work, GError **error) {
    if (!stage_tile(work, error) || !stage_label(work, error) || !stage_encode(work, error) || !work_write_cohort(work, error)) return NULL;
    g_autofree char *path = g_build_filename(work->folder, "cohort.csv", NULL);
    RmilCohort *cohort = rmil_cohort_read(path, error);
    if (!cohort) return NULL;
    g_autoptr(GStrvBuilder) left_out = g_strv_builder_new();
    for (int64_t i = 0, kept = 0; i < work->cohort->count; i++) {
        const char *id = work->cohort->rows[i].id;
        if (kept < cohort->count && strcmp(cohort->rows[kept].id, id) == 0) kept++;
        else g_strv_builder_add(left_out, id);
    }
    cohort->left_out = g_strv_builder_end(left_out);
    return cohort;
}

/* -- preprocessing.json ------------------------------------------------------------------------------------------------------- */
JsonObject *work_preprocessing(const Work *work) {
    JsonObject *o = json_object_new();
    json_object_set_string_member(o, "encoder", work->encoder);
    if (work->weights) {
        g_autofree char *weights = g_canonicalize_filename(work->weights, NULL);
        json_object_set_string_member(o, "weights", weights);
    }
    json_object_set_boolean_member(o, "encode_bfloat16", work->bfloat16);
    json_object_set_double_member(o, "tile_mpp", work->tile_mpp);
    json_object_set_double_member(o, "min_tissue", work->min_tissue);
    json_object_set_double_member(o, "mask_mpp", work->mask_mpp);
    return o;
}

gboolean work_read_preprocessing(const char *cohort, JsonObject **preprocessing, GError **error) {
    g_autofree char *folder = g_path_get_dirname(cohort), *path = g_build_filename(folder, "preprocessing.json", NULL);
    gboolean there;
    *preprocessing = NULL;
    return rmil_file_exists(path, &there, error) && (!there || (*preprocessing = cli_json_read(path, error)));
}

/* *value stays when there is no such member. */
static gboolean number_member(JsonObject *o, const char *name, double *value, GError **error) {
    JsonNode *node = json_object_get_member(o, name);
    if (!node) return TRUE;
    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) == G_TYPE_STRING) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "run.json: %s of its preprocessing is not a number", name);
        return FALSE;
    }
    *value = json_node_get_value_type(node) == G_TYPE_BOOLEAN ? json_node_get_boolean(node) : json_node_get_double(node);
    return TRUE;
}

gboolean work_apply_preprocessing(Work *work, JsonObject *o, GError **error) {
    JsonNode *encoder = json_object_get_member(o, "encoder"), *weights = json_object_get_member(o, "weights");
    if (!encoder || json_node_get_value_type(encoder) != G_TYPE_STRING) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_FORMAT, "run.json: preprocessing names no encoder");
        return FALSE;
    }
    g_free(work->encoder);
    work->encoder = json_node_dup_string(encoder);
    if (!work->weights && weights) work->weights = json_node_dup_string(weights);
    double bfloat16 = 0;
    if (!number_member(o, "encode_bfloat16", &bfloat16, error) || !number_member(o, "tile_mpp", &work->tile_mpp, error) ||
        !number_member(o, "min_tissue", &work->min_tissue, error) || !number_member(o, "mask_mpp", &work->mask_mpp, error))
        return FALSE;
    work->bfloat16 = bfloat16 != 0;
    return TRUE;
}
