/* SPDX-License-Identifier: Apache-2.0 */
/* What was left out or assumed in reading a file: one warning for each reason, however many annotations it concerns. */
#include "annotation-private.h"

#include <string.h>

enum { MOST_NAMED = 8 };

typedef struct {
    const char *reason;
    char *what;
    int64_t count;
} Note;

static void note_free(gpointer data) {
    Note *note = data;
    g_free(note->what);
    g_free(note);
}

GPtrArray *rmil_notes_new(void) { return g_ptr_array_new_with_free_func(note_free); }

static Note *find(const RmilOutlines *outlines, const char *reason, const char *what, int *of_reason) {
    *of_reason = 0;
    for (guint i = 0; i < outlines->notes->len; i++) {
        Note *note = outlines->notes->pdata[i];
        if (strcmp(note->reason, reason) != 0) continue;
        if (g_strcmp0(note->what, what) == 0) return note;
        ++*of_reason;
    }
    return NULL;
}

void rmil_outlines_note(RmilOutlines *outlines, const char *reason, const char *what) {
    int of_reason;
    Note *note = find(outlines, reason, what, &of_reason);
    if (!note && of_reason >= MOST_NAMED) note = find(outlines, reason, what = NULL, &of_reason); /* the others are only counted */
    if (!note) {
        note = g_new0(Note, 1);
        note->reason = reason;
        note->what = g_strdup(what);
        g_ptr_array_add(outlines->notes, note);
    }
    note->count++;
}

void rmil_outlines_note_kind(RmilOutlines *outlines, const char *reason, const char *kind, const char *group) {
    g_autofree char *what = group ? g_strdup_printf("%s of \"%.100s\"", kind, group) : g_strdup(kind);
    rmil_outlines_note(outlines, reason, what);
}

static void append(GString *line, const Note *note) {
    if (!note->what) g_string_append_printf(line, " and %" G_GINT64_FORMAT " more", note->count);
    else g_string_append_printf(line, "%s%s", line->str[line->len - 1] == ':' ? " " : ", ", note->what);
    if (note->what && note->count > 1) g_string_append_printf(line, " (%" G_GINT64_FORMAT ")", note->count);
}

char **rmil_outlines_warnings(const RmilOutlines *outlines) {
    g_autoptr(GPtrArray) lines = g_ptr_array_new();
    for (guint i = 0; i < outlines->notes->len; i++) {
        const char *reason = ((Note *)outlines->notes->pdata[i])->reason;
        gboolean said = FALSE;
        for (guint k = 0; k < i; k++) said = said || strcmp(((Note *)outlines->notes->pdata[k])->reason, reason) == 0;
        if (said) continue;
        GString *line = g_string_new(NULL);
        g_string_printf(line, "%s: %s:", outlines->path, reason);
        for (guint k = i; k < outlines->notes->len; k++)
            if (strcmp(((Note *)outlines->notes->pdata[k])->reason, reason) == 0) append(line, outlines->notes->pdata[k]);
        g_ptr_array_add(lines, g_string_free(line, FALSE));
    }
    g_ptr_array_add(lines, NULL);
    return (char **)g_ptr_array_steal(lines, NULL);
}
