/* The outlines of a file, and which of them are lesions and which are cut out. */
#include "annotation-private.h"

#include <math.h>
#include <string.h>

static const char *const default_lesion[] = {"_0", "_1", "Tumor", "Tumour", "Lesion", "Metastasis", "Metastases", "Cancer", "Carcinoma", NULL};
static const char *const default_exclusion[] = {"_2", "Exclusion", "Exclude", NULL};

RmilShape *rmil_outlines_add_shape(RmilOutlines *outlines, const char *name, const char *group, GError **error) {
    if (outlines->shapes->len >= RMIL_ANNOTATION_SHAPES) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has more than %d annotations", outlines->path, RMIL_ANNOTATION_SHAPES);
        return NULL;
    }
    RmilShape *shape = g_new0(RmilShape, 1);
    shape->name = g_strdup(name);
    shape->group = g_strdup(group);
    shape->rings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_ptr_array_add(outlines->shapes, shape);
    return shape;
}

GArray *rmil_shape_add_ring(RmilShape *shape) {
    GArray *ring = g_array_new(FALSE, FALSE, sizeof(RmilPoint));
    g_ptr_array_add(shape->rings, ring);
    return ring;
}

gboolean rmil_outlines_add_point(RmilOutlines *outlines, const RmilShape *shape, GArray *ring, double x, double y,
                                 GError **error) {
    if (!(fabs(x) <= RMIL_ANNOTATION_COORDINATE && fabs(y) <= RMIL_ANNOTATION_COORDINATE))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s: (%g, %g) is no position on a slide", outlines->path,
                         shape->name, x, y);
    if (++outlines->vertices > RMIL_ANNOTATION_VERTICES)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has more than %d vertices", outlines->path,
                         RMIL_ANNOTATION_VERTICES);
    RmilPoint point = {x, y};
    g_array_append_val(ring, point);
    return TRUE;
}

static gboolean listed(const char *const *names, const char *group) {
    g_autofree char *folded = g_utf8_casefold(group, -1);
    for (; *names; names++) {
        g_autofree char *name = g_utf8_casefold(*names, -1);
        if (strcmp(name, folded) == 0) return TRUE;
    }
    return FALSE;
}

typedef enum { UNKNOWN, LESION, EXCLUSION } Role;

/* A group that is in neither list has the role of the group that it is part of. */
static Role role_of(const RmilOutlines *outlines, const char *group, const char *const *lesion,
                    const char *const *exclusion) {
    for (int depth = 0; group && depth < 32; depth++) {
        if (listed(exclusion, group)) return EXCLUSION;
        if (listed(lesion, group)) return LESION;
        group = g_hash_table_lookup(outlines->parents, group);
    }
    return UNKNOWN;
}

static gboolean check_rings(const RmilOutlines *outlines, const RmilShape *shape, GError **error) {
    for (guint i = 0; i < shape->rings->len; i++) {
        const GArray *ring = shape->rings->pdata[i];
        if (ring->len < 3)
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s has %u points, an outline needs at least 3", outlines->path,
                             shape->name, ring->len);
    }
    return TRUE;
}

/* Names the groups of the file, each once, in order. */
static char *group_names(const RmilOutlines *outlines) {
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    GString *names = g_string_new(NULL);
    for (guint i = 0; i < outlines->shapes->len; i++) {
        const char *group = ((RmilShape *)outlines->shapes->pdata[i])->group;
        if (!group || !g_hash_table_add(seen, (gpointer)group)) continue;
        if (g_hash_table_size(seen) > 12) {
            g_string_append(names, " …");
            break;
        }
        g_string_append_printf(names, "%s\"%.100s\"", names->len ? ", " : "", group);
    }
    return g_string_free(names, FALSE);
}

gboolean rmil_outlines_select(const RmilOutlines *outlines, const RmilAnnotationOptions *options, GPtrArray *lesions,
                              GPtrArray *exclusions, GError **error) {
    const char *const *lesion = options->lesion ? options->lesion : default_lesion;
    const char *const *exclusion = options->exclusion ? options->exclusion : default_exclusion;
    for (const char *const *name = lesion; *name; name++)
        if (listed(exclusion, *name))
            return rmil_fail(error, RMIL_ERROR_ARGUMENT, "annotation group \"%s\" is named as lesion and as exclusion", *name);
    gboolean grouped = FALSE;
    for (guint i = 0; i < outlines->shapes->len; i++)
        grouped = grouped || ((RmilShape *)outlines->shapes->pdata[i])->group;
    for (guint i = 0; i < outlines->shapes->len; i++) {
        RmilShape *shape = outlines->shapes->pdata[i];
        Role role = grouped ? role_of(outlines, shape->group, lesion, exclusion) : LESION;
        if (role == UNKNOWN) continue;
        if (!check_rings(outlines, shape, error)) return FALSE;
        g_ptr_array_add(role == LESION ? lesions : exclusions, shape);
    }
    if (grouped && lesions->len + exclusions->len == 0) {
        g_autofree char *names = group_names(outlines), *wanted = g_strjoinv(", ", (char **)lesion);
        return rmil_fail(error, RMIL_ERROR_DATA, "%s: no annotation is in a lesion group: the file has %s, lesions are %s",
                         outlines->path, names, wanted);
    }
    return TRUE;
}
