/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a run: pictures of test slides. */
#include "report.h"
#include "task-words.h"

#include <math.h>
#include <string.h>

static char *heat_path(const RmilReport *report, const RmilMethod *method, const char *id) {
    g_autofree char *file = g_strconcat(id, ".png", NULL);
    g_autofree char *path = g_build_filename(report->run->folder, "heatmaps", method->name, file, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_REGULAR)) return g_steal_pointer(&path);
    g_autofree char *plain = g_build_filename(report->run->folder, "heatmaps", file, NULL);
    return report->run->single && g_file_test(plain, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer(&plain) : NULL;
}

static JsonArray *slides_of(const RmilReport *report, const char *patient) {
    return rmil_json_array(rmil_json_get(rmil_json_get(report->run->info, "patient_slides"), patient));
}

/* The ids in the names of a bag's pictures: those of its slides for a patient, else its own. */
static GPtrArray *picture_ids(const RmilReport *report, const char *id) {
    JsonArray *slides = slides_of(report, id);
    GPtrArray *ids = g_ptr_array_new();
    for (guint i = 0; slides && i < json_array_get_length(slides); i++) {
        const char *slide = rmil_json_string(json_array_get_element(slides, i));
        if (slide) g_ptr_array_add(ids, (gpointer)slide);
    }
    if (!slides) g_ptr_array_add(ids, (gpointer)id);
    return ids;
}

gboolean rmil_report_pictured(const RmilReport *report, const char *id) {
    g_autoptr(GPtrArray) ids = picture_ids(report, id);
    for (int m = 0; m < report->summary->n; m++)
        for (guint i = 0; i < ids->len; i++) {
            g_autofree char *path = heat_path(report, report->summary->methods[m].method, ids->pdata[i]);
            if (path) return TRUE;
        }
    return FALSE;
}

int rmil_report_number(const RmilReport *report, const char *id) {
    const RmilPredictionRow *row = rmil_report_said(rmil_report_reference(report), id);
    return row ? (int)(row - (const RmilPredictionRow *)rmil_report_reference(report)->pooled->data) : -1;
}

/* -- how much of them there is room for --------------------------------------------------------------------------------------------- */
/* A page of 100 slides stays below 10 MB: pictures are as wide as that allows. */
typedef struct {
    int heat, tiles; /* px; tiles 0: none */
} Room;

/* Tiles are shown for the method that the page quotes, and for methods that get the slide wrong. */
static gboolean shows_tiles(const RmilReport *report, int m, const RmilPredictionRow *item) {
    const RmilPredictionRow *said = rmil_report_said(&report->summary->methods[m], item->slide);
    return m == report->summary->reference || (said && rmil_task_is_wrong(&report->summary->task, said, rmil_report_cut(report, m)));
}

static Room room_for(const RmilReport *report, const GPtrArray *shown) {
    static const Room rooms[] = {{1800, 940}, {1400, 940}, {1100, 940}, {1100, 700}, {900, 700}, {700, 700}, {900, 0}, {700, 0}, {500, 0}};
    const RmilSummary *s = report->summary;
    const double all = MAX(7e6, 85e3 * s->methods[s->reference].pooled->len);
    double heat = 0, tiles = 0;
    for (guint i = 0; i < shown->len; i++) {
        const RmilPredictionRow *item = shown->pdata[i];
        g_autoptr(GPtrArray) ids = picture_ids(report, item->slide);
        heat += ids->len * (double)s->n;
        for (int m = 0; m < s->n; m++) tiles += shows_tiles(report, m, item) ? ids->len : 0;
    }
    for (gsize k = 0; k + 1 < G_N_ELEMENTS(rooms); k++) /* bytes of a picture in base64 by its width, measured on H&E */
        if (heat * 92e3 * pow(rooms[k].heat / 1100.0, 1.5) + tiles * 62e3 * rooms[k].tiles / 940 <= all) return rooms[k];
    return rooms[G_N_ELEMENTS(rooms) - 1];
}

/* -- one slide ------------------------------------------------------------------------------------------------------------------------ */
static gboolean embed(RmilReport *report, const char *path, int width, const char *alt, GError **error) {
    int w, h;
    g_autofree char *data = rmil_picture_base64(path, width, &w, &h, error);
    if (!data) return FALSE;
    rmil_html(report->out,
              "<button type=\"button\" class=\"zoom\"><img width=\"%d\" height=\"%d\" alt=\"%s\" src=\"data:image/webp;base64,", w, h, alt);
    g_string_append(report->out, data);
    g_string_append(report->out, "\"></button>");
    return TRUE;
}

/* The method's prediction for the slide, as a caption. */
static void caption(RmilReport *report, int m, const RmilPredictionRow *item, const char *id) {
    const RmilMethodSummary *method = &report->summary->methods[m];
    const RmilTask *task = &report->summary->task;
    const RmilPredictionRow *said = rmil_report_said(method, item->slide);
    rmil_html(report->out, "<strong>%s</strong>", method->method->title);
    if (slides_of(report, item->slide)) rmil_html(report->out, ", %s; the patient", id);
    if (!said) return;
    g_autofree char *answer = rmil_task_answer(task, said);
    const double cut = rmil_report_cut(report, m);
    const char *verdict = task->kind != RMIL_TASK_CLASSES        ? ""
                          : !rmil_task_is_wrong(task, said, cut) ? ", correct"
                          : task->classes > 2                    ? ", wrong"
                          : item->target.label                   ? ", false negative"
                                                                 : ", false positive";
    rmil_html(report->out, ": %s%s%s %s%s", method->seeds > 1 ? rmil_tests_pool(method) : "", method->seeds > 1 ? ", " : "",
              task->kind == RMIL_TASK_CLASSES && task->classes > 2 ? "" : rmil_task_answer_name(task), answer, verdict);
    if (task->classes == 2 && said->probability < cut)
        g_string_append(report->out,
                        rmil_target_lesion(task, &item->target)
                            ? ". Called negative: the colours only compare the tiles of this slide"
                            : ". Called negative: the colours only compare the tiles of this slide, and a bright tile is not a finding");
}

/* id: of the picture's slide: the item itself, or one of the slides of a patient. */
static gboolean add_picture(RmilReport *report, int m, const RmilPredictionRow *item, const char *id, const Room *room, GError **error) {
    const RmilMethod *method = report->summary->methods[m].method;
    g_autofree char *path = heat_path(report, method, id);
    if (!path) return TRUE;
    g_autofree char *folder = g_path_get_dirname(path), *name = g_path_get_basename(path),
                    *tiles = g_build_filename(folder, "tiles", name, NULL),
                    *alt = g_strdup_printf("Slide %s beside its attention heat map by %s", id, method->title);
    g_string_append(report->out, "<div class=\"pair\"><figure>");
    if (!embed(report, path, room->heat, alt, error)) return FALSE;
    g_string_append(report->out, "<figcaption>");
    caption(report, m, item, id);
    g_string_append(report->out, "</figcaption></figure>\n");
    if (!room->tiles || !shows_tiles(report, m, item) || !g_file_test(tiles, G_FILE_TEST_IS_REGULAR)) {
        g_string_append(report->out, "</div>\n");
        return TRUE;
    }
    g_autofree char *tiles_alt = g_strdup_printf("The most attended tiles of slide %s by %s", id, method->title);
    g_string_append(report->out, "<figure>");
    if (!embed(report, tiles, room->tiles, tiles_alt, error)) return FALSE;
    rmil_html(report->out,
              "<figcaption>%s: the most attended tiles as scanned; their numbers stand on the slide.</figcaption></figure></div>\n",
              method->title);
    return TRUE;
}

/* tiles: is there room for them? */
static void introduce(RmilReport *report, guint shown, gboolean tiles) {
    const RmilSummary *s = report->summary;
    const gboolean pooled = rmil_json_text(report->run->info, "heatmaps") != NULL; /* version 0.1.0 drew the first seed's */
    rmil_html(report->out, "<p>%u of %u test slides have pictures: as many as <code>--heatmaps</code> asks for, and every mistake. %s ",
              shown, s->methods[s->reference].pooled->len,
              !s->repeats ? "Each heat map is of the one model that its method trained."
              : pooled
                  ? "Each heat map averages the attention of the models whose mean probability is printed with it."
                  : "Each picture, with the probability above it, is of the first seed’s model; the probability below it is that of all.");
    g_string_append(
        report->out,
        "On the left of each picture the slide with the annotated lesion outlined, where there is one; on the right the slide in gray under "
        "the attention of its tiles. What the colours mean stands under the picture; a click enlarges it. "
        "Attention shows what the score was built from; it does not prove a lesion. ");
    if (!tiles)
        g_string_append(report->out, "To keep this page small, it leaves out the most attended tiles; they are in heatmaps/METHOD/tiles.");
    else if (s->n > 1)
        rmil_html(report->out,
                  "The tiles with a number are shown as scanned for %s, and for another method where it is wrong; the others are in "
                  "heatmaps/METHOD/tiles.",
                  rmil_report_reference(report)->method->title);
    else g_string_append(report->out, "The tiles with a number are shown as scanned.");
    if (rmil_json_get(report->run->info, "patient_slides"))
        g_string_append(report->out,
                        " The models are of patients: the title of a picture says what they predict from that slide alone, the "
                        "line below it what they predict from all slides of the patient.");
    g_string_append(report->out, "</p>\n");
}

gboolean rmil_report_pictures(RmilReport *report, GError **error) {
    const RmilSummary *s = report->summary;
    const GArray *pooled = s->methods[s->reference].pooled;
    g_autoptr(GPtrArray) shown = g_ptr_array_new();
    for (guint i = 0; i < pooled->len; i++) {
        RmilPredictionRow *item = &g_array_index(pooled, RmilPredictionRow, i);
        if (rmil_report_pictured(report, item->slide)) g_ptr_array_add(shown, item);
    }
    g_string_append(report->out, "<section id=\"heatmaps\"><h2>Heat maps</h2>\n");
    if (shown->len == 0) {
        g_string_append(report->out, "<p>No heat maps: the folder heatmaps/ holds none of a labelled test slide.</p></section>\n");
        return TRUE;
    }
    g_ptr_array_sort_with_data(shown, rmil_report_by_distance, (gpointer)report);
    const Room room = room_for(report, shown);
    introduce(report, shown->len, room.tiles > 0);
    for (guint i = 0; i < shown->len; i++) {
        const RmilPredictionRow *item = shown->pdata[i];
        rmil_monitor_progress(report->monitor, "heat maps", i, shown->len);
        g_autofree char *truth = rmil_task_truth(&s->task, &item->target);
        rmil_html(report->out,
                  "<div class=\"slide\" id=\"picture-%d\"><h3>%s <span class=\"soft\">%s</span></h3><div class=\"figures two\">\n",
                  rmil_report_number(report, item->slide), item->slide, truth);
        g_autoptr(GPtrArray) ids = picture_ids(report, item->slide);
        for (guint k = 0; k < ids->len; k++)
            for (int m = 0; m < s->n; m++)
                if (!add_picture(report, m, item, ids->pdata[k], &room, error)) return FALSE;
        g_string_append(report->out, "</div></div>\n");
    }
    rmil_monitor_progress(report->monitor, "heat maps", shown->len, shown->len);
    g_string_append(report->out, "</section>\n");
    return TRUE;
}
