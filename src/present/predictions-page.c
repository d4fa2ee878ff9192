/* SPDX-License-Identifier: Apache-2.0 */
/* One page of all predictions in a folder of `rankmil predict`: by probability, each with its pictures, model and date. */
#include "report.h"

#include <math.h>
#include <string.h>

enum { ID, PROBABILITY, SD, MODELS, MODEL, INPUT, CREATED, LABEL, DIGEST, PREDICTED, CUT, CUT_RULE, CALIBRATED, RISK, COLUMNS };
static const char *const names[COLUMNS] = {"id",    "probability", "sd",        "models", "model",    "input",      "created",
                                           "label", "digest",      "predicted", "cut",    "cut_rule", "calibrated", "risk"};

typedef struct {
    const RmilTable *table;
    const char *folder;
    int columns[COLUMNS];
} Listing;

static const char *cell(const Listing *listing, int64_t row, int column) {
    return rmil_table_cell(listing->table, row, listing->columns[column]);
}

/* "rank, seed 0 (9f86d081884c)": the digest tells models of one name apart. */
static char *model_of(const Listing *listing, int64_t row) {
    const char *name = cell(listing, row, MODEL), *digest = cell(listing, row, DIGEST);
    if (!*name) name = "a model";
    return *digest ? g_strdup_printf("%s (%s)", name, digest) : g_strdup(name);
}

/* The row's prediction in words, and its sort key: a probability, that of the predicted class, a risk or a number. */
typedef struct {
    int64_t row;
    double value;
    char *said; /* "probability 0.871", "LUSC 0.710", "risk 1.3" */
} Item;

static void item_clear(gpointer item) { g_free(((Item *)item)->said); }

/* A number of the row; NaN if the cell is empty. */
static gboolean number_at(const Listing *listing, int64_t row, int column, double *value, GError **error) {
    *value = NAN;
    return column < 0 || !*rmil_table_cell(listing->table, row, column) || rmil_table_number(listing->table, row, column, value, error);
}

static gboolean read_item(const Listing *listing, int64_t row, Item *item, GError **error) {
    const char *predicted = listing->columns[PREDICTED] < 0 ? "" : cell(listing, row, PREDICTED);
    g_autofree char *of_class = g_strconcat("p_", predicted, NULL);
    double probability, risk, share;
    *item = (Item){.row = row};
    if (!number_at(listing, row, listing->columns[PROBABILITY], &probability, error) ||
        !number_at(listing, row, listing->columns[RISK], &risk, error) ||
        !number_at(listing, row, rmil_table_find(listing->table, of_class), &share, error))
        return FALSE;
    item->value = !isnan(probability) ? probability : !isnan(share) ? share : !isnan(risk) ? risk : g_ascii_strtod(predicted, NULL);
    item->said = !isnan(probability) ? g_strdup_printf("probability %.3f", probability)
                 : !isnan(share)     ? g_strdup_printf("%s %.3f", predicted, share)
                 : !isnan(risk)      ? g_strdup_printf("risk %.4g", risk)
                                     : g_strdup_printf("value %s", predicted);
    return !isnan(probability) || !isnan(risk) || *predicted ||
           rmil_fail(error, RMIL_ERROR_FORMAT, "%s/predictions.csv: line %" G_GINT64_FORMAT ": nothing is predicted", listing->folder,
                     rmil_table_line(listing->table, row));
}

static int compare_items(gconstpointer a, gconstpointer b) {
    const Item *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value) - (x->value > y->value) : (x->row > y->row) - (x->row < y->row);
}

/* A link to a file of the folder, if it exists; relative, so that the folder can be moved. */
static void add_link(GString *out, const Listing *listing, const char *below, const char *id, const char *ending, const char *text) {
    g_autofree char *file = g_strconcat(id, ending, NULL), *path = g_build_filename(listing->folder, below, file, NULL);
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) return;
    g_autofree char *escaped = g_uri_escape_string(file, NULL, FALSE);
    rmil_html(out, " <a href=\"%s/%s\">%s</a>", below, escaped, text);
}

static void add_picture(GString *out, const Listing *listing, const char *id) {
    g_autofree char *file = g_strconcat(id, ".png", NULL), *path = g_build_filename(listing->folder, "heatmaps", file, NULL);
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        g_string_append(out, "<p class=\"soft\">No picture: a feature file has no slide to draw on.</p>");
        return;
    }
    g_autofree char *escaped = g_uri_escape_string(file, NULL, FALSE);
    rmil_html(
        out,
        "<a href=\"heatmaps/%s\"><img loading=\"lazy\" src=\"heatmaps/%s\" alt=\"Slide %s beside the attention of the model on it\"></a>",
        escaped, escaped, id);
}

/* All predictions at a glance, each with a link to its picture. */
static void add_table(GString *out, const Listing *listing, const GArray *items) {
    rmil_html_table_begin(out, "predictions", "Predictions, the highest first.");
    g_string_append(out, "<thead><tr><th scope=\"col\">Slide</th><th scope=\"col\">Prediction</th><th scope=\"col\" class=\"n\">SD</th>"
                         "<th scope=\"col\">Model</th><th scope=\"col\">Date</th></tr></thead><tbody>\n");
    for (guint i = 0; i < items->len; i++) {
        const Item *item = &g_array_index(items, Item, i);
        const char *sd = cell(listing, item->row, SD);
        g_autofree char *model = model_of(listing, item->row);
        rmil_html(out, "<tr><th scope=\"row\"><a href=\"#p%d\">%s</a></th><td>%s</td>", (int)item->row, cell(listing, item->row, ID),
                  item->said);
        if (*sd) rmil_html(out, "<td class=\"n\">%.3f</td>", g_ascii_strtod(sd, NULL));
        else g_string_append(out, "<td class=\"n\">–</td>");
        rmil_html(out, "<td>%s</td><td>%s</td></tr>\n", model, cell(listing, item->row, CREATED));
    }
    g_string_append(out, "</tbody>");
    rmil_html_table_end(out);
}

/* ": positive at the cut-off 0.412 (chosen for 95 % sensitivity); calibrated 0.79" */
static void add_verdict(GString *out, const Listing *listing, int64_t row) {
    if (listing->columns[CUT] < 0 || !*cell(listing, row, CUT)) return;
    rmil_html(out, ": %s at the cut-off %.3g", cell(listing, row, PREDICTED), g_ascii_strtod(cell(listing, row, CUT), NULL));
    if (listing->columns[CUT_RULE] >= 0) rmil_html(out, " (%s)", cell(listing, row, CUT_RULE));
    if (listing->columns[CALIBRATED] >= 0 && *cell(listing, row, CALIBRATED))
        rmil_html(out, "; calibrated %.3f", g_ascii_strtod(cell(listing, row, CALIBRATED), NULL));
}

static void add_item(GString *out, const Listing *listing, const Item *item) {
    const int64_t row = item->row;
    const char *id = cell(listing, row, ID), *sd = cell(listing, row, SD), *models = cell(listing, row, MODELS),
               *label = cell(listing, row, LABEL);
    g_autofree char *model = model_of(listing, row);
    rmil_html(out, "<div class=\"slide\" style=\"overflow-wrap:anywhere\" id=\"p%d\"><h3>%s</h3><p><strong>%s</strong>", (int)row, id,
              item->said);
    if (*sd) rmil_html(out, " (mean of %s models, SD %.3f)", models, g_ascii_strtod(sd, NULL));
    add_verdict(out, listing, row);
    if (*label) rmil_html(out, "; label %s", label);
    rmil_html(out, "<br><span class=\"soft\">%s; by %s; %s</span><br>", cell(listing, row, INPUT), model,
              *cell(listing, row, CREATED) ? cell(listing, row, CREATED) : "date not recorded");
    add_link(out, listing, "top-patches", id, ".png", "most attended tiles");
    add_link(out, listing, "patches", id, ".csv", "scores of all tiles");
    add_link(out, listing, "qupath", id, ".geojson", "overlay for QuPath");
    g_string_append(out, "</p><figure>");
    add_picture(out, listing, id);
    g_string_append(out, "</figure></div>\n");
}

gboolean rmil_predictions_page_write(const char *folder, const char *path, GError **error) {
    g_autofree char *file = g_build_filename(folder, "predictions.csv", NULL);
    g_autoptr(RmilTable) table = rmil_table_read(file, error);
    if (!table) return FALSE;
    Listing listing = {.table = table, .folder = folder};
    for (int c = 0; c < COLUMNS; c++) listing.columns[c] = rmil_table_find(table, names[c]);
    if (listing.columns[ID] < 0 || listing.columns[PROBABILITY] < 0)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has no column id or probability", file);
    g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(Item));
    g_array_set_clear_func(items, item_clear);
    for (int64_t row = 0; row < rmil_table_rows(table); row++) {
        Item item;
        const gboolean good = read_item(&listing, row, &item, error);
        g_array_append_val(items, item);
        if (!good) return FALSE;
    }
    g_array_sort(items, compare_items);
    g_autoptr(GString) body = g_string_new(
        "<section id=\"slides\"><h2>Slides, the highest prediction first</h2>\n<p class=\"soft\">A probability ranks "
        "slides; it says how likely the label is only as far as the model is calibrated for slides like these. "
        "Colour shows where the model looked, relative to the slide itself: every slide has a brightest tile, also "
        "one without a lesion.</p>\n");
    add_table(body, &listing, items);
    for (guint i = 0; i < items->len; i++) add_item(body, &listing, &g_array_index(items, Item, i));
    g_string_append(body, "</section>\n");
    g_autofree char *full = g_canonicalize_filename(folder, NULL), *name = g_filename_display_basename(full);
    g_autofree char *line = g_strdup_printf("%u prediction%s. Table: predictions.csv", items->len, items->len == 1 ? "" : "s");
    return rmil_html_page_write(path, "Predictions", name, line, NULL, body->str, error);
}
