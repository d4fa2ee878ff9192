/* SPDX-License-Identifier: Apache-2.0 */
/* Which groups of an annotation are lesions on a slide: --lesion GROUP for every slide, --lesion CLASS=GROUP for those of that class. */
#include "prepare-private.h"

#include <string.h>

/* "LUAD=Tumor,LUSC=Tumor" -> its parts; "Tumor" -> itself. Free with g_strfreev. */
static char **pieces_of(const char *given) { return g_strsplit(given, ",", strchr(given, '=') ? -1 : 1); }

/* Class and group of "CLASS=GROUP"; FALSE: only a group. Free both with g_free. */
static gboolean split_pair(const char *piece, char **class, char **group) {
    const char *equals = strchr(piece, '=');
    *class = equals ? g_strstrip(g_strndup(piece, (gsize)(equals - piece))) : NULL;
    *group = equals ? g_strstrip(g_strdup(equals + 1)) : g_strdup(piece);
    return equals != NULL;
}

static int find_class(const RmilTask *task, const char *name) {
    for (int c = 0; c < task->classes; c++)
        if (strcmp(task->names[c], name) == 0) return c;
    return -1;
}

static gboolean check_pair(const char *given, const char *piece, const RmilTask *task, GError **error) {
    g_autofree char *class = NULL, *group = NULL;
    if (!split_pair(piece, &class, &group) || !*group)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--lesion %s: \"%s\" is not CLASS=GROUP", given, piece);
    if (task->kind != RMIL_TASK_CLASSES)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--lesion %s: there are no classes, because the cohort predicts a %s", given,
                         task->kind == RMIL_TASK_SURVIVAL ? "time" : "number");
    if (find_class(task, class) >= 0) return TRUE;
    g_autoptr(GString) all = g_string_new(NULL);
    for (int c = 0; c < task->classes; c++) g_string_append_printf(all, "%s%s", c ? ", " : "", task->names[c]);
    return rmil_fail(error, RMIL_ERROR_ARGUMENT, "--lesion %s: there is no class \"%s\"; choose one of %s", given, class, all->str);
}

gboolean rmil_lesion_check(char *const *given, const RmilTask *task, GError **error) {
    for (; given && *given; given++) {
        if (!strchr(*given, '=')) continue;
        g_auto(GStrv) pieces = pieces_of(*given);
        for (int i = 0; pieces[i]; i++)
            if (!check_pair(*given, pieces[i], task, error)) return FALSE;
    }
    return TRUE;
}

char **rmil_lesion_groups(char *const *given, const RmilTask *task, const RmilTarget *target) {
    const gboolean known = rmil_target_known(task, target);
    g_autoptr(GPtrArray) everywhere = g_ptr_array_new_with_free_func(g_free), own = g_ptr_array_new_with_free_func(g_free);
    for (; given && *given; given++) {
        g_auto(GStrv) pieces = pieces_of(*given);
        for (int i = 0; pieces[i]; i++) {
            g_autofree char *class = NULL, *group = NULL;
            if (!split_pair(pieces[i], &class, &group)) g_ptr_array_add(everywhere, g_steal_pointer(&group));
            else if (!known || find_class(task, class) == target->label) g_ptr_array_add(own, g_steal_pointer(&group));
        }
    }
    if (!known) g_ptr_array_extend_and_steal(own, g_steal_pointer(&everywhere)); /* it may be any of them */
    GPtrArray *groups = own->len ? own : everywhere;
    if (!groups || !groups->len) return NULL;
    g_ptr_array_add(groups, NULL);
    return (char **)g_ptr_array_steal(groups, NULL);
}
