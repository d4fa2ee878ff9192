/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil convert IN OUT: feature files to the layouts of other tools, one file or a whole folder. */
#include "convert.h"

#include <string.h>

typedef struct {
    Cli *cli;
    const ConvertFeatures *options;
    const char *layout;
    RmilCohort *cohort; /* or NULL */
    GPtrArray *inputs;  /* paths, one per slide, sorted */
    const char *target; /* folder; or a file, if `single` */
    gboolean single;
    GMutex lock;
    int64_t done, written;
} Converting;

static const RmilCohortRow *find_row(const RmilCohort *cohort, const char *id) {
    for (int64_t i = 0; cohort && i < cohort->count; i++)
        if (strcmp(cohort->rows[i].id, id) == 0) return &cohort->rows[i];
    return NULL;
}

static gboolean has_ending(const char *name, const char *const *endings) {
    for (; *endings; endings++)
        if (g_str_has_suffix(name, *endings)) return TRUE;
    return FALSE;
}

static char *stem_of(const char *path) {
    char *name = g_path_get_basename(path), *dot = strrchr(name, '.');
    if (dot && dot > name) *dot = '\0';
    return name;
}

static gint compare_paths(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Feature files in a folder; in CLAM's output folder those in its h5_files, or pt_files. A tensor beside an HDF5 file of the same name
 * belongs to it. */
static GPtrArray *list_inputs(const char *folder, GError **error) {
    static const char *const hdf5[] = {".h5", ".hdf5", NULL}, *const tensors[] = {".pt", NULL};
    static const char *const inner[] = {"h5_files", "pt_files"};
    for (gsize i = 0; i < G_N_ELEMENTS(inner); i++) {
        g_autofree char *path = g_build_filename(folder, inner[i], NULL);
        if (g_file_test(path, G_FILE_TEST_IS_DIR)) return list_inputs(path, error);
    }
    g_autoptr(GDir) dir = g_dir_open(folder, 0, error);
    if (!dir) return NULL;
    g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) stems = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int pass = 0; pass < 2; pass++) {
        g_dir_rewind(dir);
        for (const char *name; (name = g_dir_read_name(dir));)
            if (*name != '.' && has_ending(name, pass ? tensors : hdf5) && g_hash_table_add(stems, stem_of(name)))
                g_ptr_array_add(inputs, g_build_filename(folder, name, NULL));
    }
    if (inputs->len == 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_DATA, "%s: contains no feature files (.h5, .hdf5, .pt)", folder);
        return NULL;
    }
    g_ptr_array_sort(inputs, compare_paths);
    return g_steal_pointer(&inputs);
}

static gboolean write_bag(const Converting *c, const RmilBag *bag, const char *from, const char *to, GError **error) {
    g_autofree char *source = g_canonicalize_filename(from, NULL), *target = g_canonicalize_filename(to, NULL);
    if (strcmp(source, target) == 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: input and output are the same file: give another output", from);
        return FALSE;
    }
    gboolean half = c->options->precision ? strcmp(c->options->precision, "float16") == 0 : bag->stored_half;
    return rmil_bag_write_as(bag, to, c->layout, half, error);
}

/* CLAM reads features from pt_files and coordinates from h5_files. */
static gboolean write_pair(const Converting *c, const RmilBag *bag, const char *from, GError **error) {
    g_autofree char *h5 = g_strconcat(bag->id, ".h5", NULL), *pt = g_strconcat(bag->id, ".pt", NULL);
    g_autofree char *coords = g_build_filename(c->target, "h5_files", h5, NULL),
                    *tensor = g_build_filename(c->target, "pt_files", pt, NULL);
    return write_bag(c, bag, from, coords, error) && (bag->dim == 0 || write_bag(c, bag, from, tensor, error));
}

/* If micrometres become pixels, or pixels micrometres: uses the cohort's mpp, else --mpp, else what the bag implies, else the slide's. */
static gboolean find_mpp(const Converting *c, const RmilCohortRow *row, RmilBag *bag, GError **error) {
    gboolean to_stamp = strcmp(c->layout, "stamp") == 0, in_um = bag->coords_um > 0;
    double mpp = row && row->mpp > 0 ? row->mpp : c->options->mpp;
    gboolean implied = in_um || (bag->target_mpp > 0 && bag->patch_size > 0 && bag->patch_size_level0 > 0);
    if (!(mpp > 0) && row && row->slide && (to_stamp ? !implied : in_um)) {
        g_autoptr(RmilSlide) slide = rmil_slide_open(row->slide, 0, error);
        if (!slide) return FALSE;
        mpp = rmil_slide_info(slide)->mpp;
    }
    rmil_bag_set_mpp(bag, mpp);
    return TRUE; /* writing reports what is still unknown */
}

/* Lists what the layout cannot hold. */
static void say_left_out(const Converting *c, const RmilBag *bag) {
    if (strcmp(c->layout, "paper") == 0 && (bag->tissue || bag->source))
        rmil_monitor_warn(&c->cli->monitor,
                          "the paper's layout cannot store tissue fractions or how the features were made: both are left out");
}

static gboolean convert_file(Converting *c, const char *from, GError **error) {
    g_autofree char *id = stem_of(from);
    const RmilCohortRow *row = find_row(c->cohort, id);
    g_autoptr(RmilBag) bag = rmil_bag_read(from, id, RMIL_FLOAT32, RMIL_BAG_ALL, error);
    if (!bag) return FALSE;
    if (!find_mpp(c, row, bag, error)) return FALSE;
    if (c->options->patch_size > 0 && bag->coords_um == 0) bag->patch_size_level0 = c->options->patch_size;
    say_left_out(c, bag);
    if (c->single) return write_bag(c, bag, from, c->target, error);
    if (strcmp(c->layout, "clam") == 0) return write_pair(c, bag, from, error);
    g_autofree char *name = g_strconcat(id, ".h5", NULL), *to = g_build_filename(c->target, name, NULL);
    return write_bag(c, bag, from, to, error);
}

static gboolean convert_task(int64_t i, int worker, gpointer user, GError **unused) {
    Converting *c = user;
    const char *from = c->inputs->pdata[i];
    GError *error = NULL;
    gboolean good = convert_file(c, from, &error);
    if (!good) {
        g_autofree char *id = stem_of(from);
        cli_problem(c->cli, "convert", id, error);
    }
    g_mutex_lock(&c->lock);
    c->written += good;
    if (!c->single) rmil_monitor_progress(&c->cli->monitor, "convert: files", ++c->done, c->inputs->len);
    g_mutex_unlock(&c->lock);
    return TRUE;
}

/* Finds the inputs, and whether OUT is a file or a folder. */
static gboolean plan(Converting *c, const char *from, const char *to, GError **error) {
    static const char *const files[] = {".h5", ".hdf5", ".pt", NULL};
    gboolean folder = g_file_test(from, G_FILE_TEST_IS_DIR);
    c->target = to;
    c->single = !folder && has_ending(to, files) && !g_file_test(to, G_FILE_TEST_IS_DIR);
    c->layout = c->options->layout ? c->options->layout : c->single && g_str_has_suffix(to, ".pt") ? "clam" : "rankmil";
    if (!g_strv_contains(rmil_bag_layouts(), c->layout)) {
        g_autofree char *known = g_strjoinv(", ", (char **)rmil_bag_layouts());
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "--to \"%s\" is not one of %s", c->layout, known);
        return FALSE;
    }
    if (c->single && g_str_has_suffix(to, ".pt") && strcmp(c->layout, "clam") != 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: a .pt file has CLAM's layout, not %s", to, c->layout);
        return FALSE;
    }
    if (folder && g_file_test(to, G_FILE_TEST_EXISTS) && !g_file_test(to, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "%s: is a file, but a folder is converted into a folder: name a folder", to);
        return FALSE;
    }
    if (c->options->cohort && !(c->cohort = rmil_cohort_read_as(c->options->cohort, &(RmilReading){.target = RMIL_TARGET_UNREAD}, error)))
        return FALSE;
    if (c->cohort) cli_warn_all(c->cli, (const char *const *)c->cohort->warnings);
    if (folder) return (c->inputs = list_inputs(from, error)) != NULL;
    c->inputs = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(c->inputs, g_strdup(from));
    return TRUE;
}

static gboolean right_options(const ConvertFeatures *o, GError **error) {
    if (o->precision && strcmp(o->precision, "float16") != 0 && strcmp(o->precision, "float32") != 0) {
        g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "--precision \"%s\" is neither float16 nor float32", o->precision);
        return FALSE;
    }
    if (o->mpp >= 0 && o->mpp < 1000 && o->patch_size >= 0 && o->patch_size < 1e6) return TRUE;
    g_set_error(error, RMIL_ERROR, RMIL_ERROR_ARGUMENT, "--mpp and --patch-size must be above 0");
    return FALSE;
}

void convert_features_clear(ConvertFeatures *options) {
    g_free(options->layout);
    g_free(options->cohort);
    g_free(options->precision);
    g_free(options->help);
}

GOptionEntry *convert_features_entries(ConvertFeatures *o) {
    g_autofree char *layouts = g_strjoinv(", ", (char **)rmil_bag_layouts());
    o->help = g_strdup_printf("layout of features: %s (default: rankmil); for a model's weights: paper or clam", layouts);
    const GOptionEntry entries[] = {
        {"to", 0, 0, G_OPTION_ARG_STRING, &o->layout, o->help, "LAYOUT"},
        {"precision", 0, 0, G_OPTION_ARG_STRING, &o->precision, "store features as float16 or float32 (default: unchanged)", "TYPE"},
        {"mpp", 0, 0, G_OPTION_ARG_DOUBLE, &o->mpp, "µm per level-0 pixel of the slides: for STAMP's coordinates", "X"},
        {"cohort", 0, 0, G_OPTION_ARG_FILENAME, &o->cohort, "table whose mpp column or slides give the resolution of each id", "CSV"},
        {"patch-size", 0, 0, G_OPTION_ARG_DOUBLE, &o->patch_size,
         "side of a patch in level-0 pixels, instead of what the files say "
         "or imply",
         "PX"},
        {0},
    };
    return g_memdup2(entries, sizeof entries);
}

gboolean convert_features(Cli *cli, const ConvertFeatures *options, const char *from, const char *to, GError **error) {
    Converting c = {.cli = cli, .options = options};
    g_mutex_init(&c.lock);
    gboolean done = right_options(options, error) && plan(&c, from, to, error);
    if (done) rmil_bag_examine((const char *const *)c.inputs->pdata, c.inputs->len);
    done = done && rmil_parallel(c.inputs->len, cli->threads, convert_task, &c, error);
    g_mutex_clear(&c.lock);
    json_object_set_int_member(cli->result, "written", c.written);
    if (done) cli_say(cli, "%" G_GINT64_FORMAT " of %u files written as %s to %s", c.written, c.inputs->len, c.layout, to);
    if (c.inputs) g_ptr_array_unref(c.inputs);
    if (c.cohort) rmil_cohort_free(c.cohort);
    return done;
}
