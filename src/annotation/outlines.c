/* SPDX-License-Identifier: Apache-2.0 */
/* The outlines of a file, and which of them are lesions and which are exclusions. */
#include "annotation-private.h"

#include <math.h>
#include <string.h>

static const char *const default_lesion[] = {"_0",         "_1",         "Tumor",  "Tumour",    "Lesion",
                                             "Metastasis", "Metastases", "Cancer", "Carcinoma", NULL};
static const char *const default_exclusion[] = {"_2", "Exclusion", "Exclude", NULL};
/* For outlines of tissue. */
static const char *const tissue_groups[] = {"Tissue", NULL};
static const char *const no_tissue[] = {"_2",       "Exclusion", "Exclude", "Background", "Glass", "Ignore*", "Artifact",
                                        "Artefact", "Pen",       "Fold",    "Blur",       "Hole",  NULL};

static void shape_free(gpointer data) {
    RmilShape *shape = data;
    g_free(shape->name);
    g_free(shape->group);
    g_free(shape->title);
    g_free(shape->hint);
    g_ptr_array_unref(shape->rings);
    g_free(shape);
}

void rmil_outlines_init(RmilOutlines *outlines, const char *path) {
    *outlines = (RmilOutlines){.path = path,
                               .shapes = g_ptr_array_new_with_free_func(shape_free),
                               .parents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                               .notes = rmil_notes_new()};
}

void rmil_outlines_clear(RmilOutlines *outlines) {
    g_ptr_array_unref(outlines->shapes);
    g_hash_table_unref(outlines->parents);
    g_ptr_array_unref(outlines->notes);
}

/* NULL if only blanks are left. */
static char *trimmed(const char *text) {
    char *copy = text ? g_strstrip(g_strdup(text)) : NULL;
    if (copy && *copy == '\0') g_clear_pointer(&copy, g_free);
    return copy;
}

RmilShape *rmil_outlines_add_shape(RmilOutlines *outlines, const char *name, const char *group, GError **error) {
    if (outlines->shapes->len >= RMIL_ANNOTATION_SHAPES) {
        rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has more than %d annotations", outlines->path, RMIL_ANNOTATION_SHAPES);
        return NULL;
    }
    RmilShape *shape = g_new0(RmilShape, 1);
    shape->name = g_strdup(name);
    shape->group = trimmed(group);
    shape->rings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_ptr_array_add(outlines->shapes, shape);
    return shape;
}

void rmil_outlines_add_parent(RmilOutlines *outlines, const char *child, const char *parent) {
    char *part = trimmed(child), *whole = trimmed(parent);
    if (part && whole && g_hash_table_size(outlines->parents) < RMIL_ANNOTATION_SHAPES) {
        g_hash_table_replace(outlines->parents, part, whole);
        return;
    }
    g_free(part);
    g_free(whole);
}

GArray *rmil_shape_add_ring(RmilShape *shape) {
    GArray *ring = g_array_new(FALSE, FALSE, sizeof(RmilPoint));
    g_ptr_array_add(shape->rings, ring);
    return ring;
}

gboolean rmil_outlines_add_point(RmilOutlines *outlines, const RmilShape *shape, GArray *ring, double x, double y, GError **error) {
    if (!(fabs(x) <= RMIL_ANNOTATION_COORDINATE && fabs(y) <= RMIL_ANNOTATION_COORDINATE))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: %s: (%g, %g) is not a possible position on a slide", outlines->path, shape->name, x,
                         y);
    if (++outlines->vertices > RMIL_ANNOTATION_VERTICES)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has more than %d vertices", outlines->path, RMIL_ANNOTATION_VERTICES);
    RmilPoint point = {x, y};
    g_array_append_val(ring, point);
    return TRUE;
}

/* -- which are lesions ------------------------------------------------------------------------------------------------------- */
typedef enum { UNKNOWN, LESION, EXCLUSION } Role;

typedef struct {
    const RmilOutlines *outlines;
    const char *const *lesion, *const *exclusion;
    GHashTable *roles; /* by name: folded name -> Role */
    gboolean tissue;   /* lesions are tissue */
} Roles;

/* Names are equal regardless of case, surrounding blanks and the encoding of accents. */
static char *fold(const char *name) {
    g_autofree char *plain = g_utf8_normalize(name, -1, G_NORMALIZE_ALL_COMPOSE);
    return g_utf8_casefold(g_strstrip(plain ? plain : (plain = g_strdup(name))), -1);
}

static gboolean add_roles(Roles *roles, const char *const *names, Role role, GError **error) {
    for (; *names; names++) {
        char *name = fold(*names);
        gpointer other = g_hash_table_lookup(roles->roles, name);
        g_hash_table_replace(roles->roles, name, GINT_TO_POINTER(role));
        if (other && GPOINTER_TO_INT(other) != (int)role)
            return rmil_fail(error, RMIL_ERROR_ARGUMENT,
                             "annotation group \"%s\" is given both as lesion and as exclusion: choose "
                             "one",
                             *names);
    }
    return TRUE;
}

/* A group that is in neither list has the role of its parent group. */
static Role role_of(const Roles *roles, const char *group) {
    for (int depth = 0; group && depth < 32; depth++) {
        g_autofree char *name = fold(group);
        gpointer role = g_hash_table_lookup(roles->roles, name);
        if (role) return (Role)GPOINTER_TO_INT(role);
        group = g_hash_table_lookup(roles->outlines->parents, group);
    }
    return UNKNOWN;
}

static gboolean same(RmilPoint a, RmilPoint b) { return a.x == b.x && a.y == b.y; }

/* Fewer than three distinct points: a stray click. */
static gboolean too_few(const GArray *ring) {
    const RmilPoint *p = (const RmilPoint *)(const void *)ring->data, *other = NULL;
    for (guint i = 1; i < ring->len; i++) {
        if (same(p[i], p[0])) continue;
        if (other && !same(p[i], *other)) return FALSE;
        other = &p[i];
    }
    return TRUE;
}

/* Removes holes without area; FALSE: the shape itself has none. */
static gboolean has_outline(RmilOutlines *outlines, RmilShape *shape) {
    const GArray *outer = shape->rings->len ? shape->rings->pdata[0] : NULL;
    if (!outer || too_few(outer)) {
        g_autofree char *what = g_strdup_printf("%s with %u", shape->name, outer ? outer->len : 0);
        rmil_outlines_note(outlines, RMIL_NOTE_FEW_POINTS, what);
        return FALSE;
    }
    for (guint i = shape->rings->len - 1; i > 0; i--) {
        if (!too_few(shape->rings->pdata[i])) continue;
        g_autofree char *hole = g_strdup_printf("a hole of %s", shape->name);
        rmil_outlines_note(outlines, RMIL_NOTE_FEW_POINTS, hole);
        g_ptr_array_remove_index(shape->rings, i);
    }
    return TRUE;
}

/* Lists the groups of the file, each once, in order. */
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

static gboolean any_grouped(const RmilOutlines *outlines) {
    for (guint i = 0; i < outlines->shapes->len; i++)
        if (((RmilShape *)outlines->shapes->pdata[i])->group) return TRUE;
    return FALSE;
}

/* Classes found where the format does not put them count if at least one of them is a known name. */
static gboolean take_hints(RmilOutlines *outlines, const Roles *roles) {
    gboolean known = FALSE;
    for (guint i = 0; i < outlines->shapes->len && !known; i++) {
        const char *hint = ((RmilShape *)outlines->shapes->pdata[i])->hint;
        known = hint && role_of(roles, hint) != UNKNOWN;
    }
    for (guint i = 0; i < outlines->shapes->len && known; i++) {
        RmilShape *shape = outlines->shapes->pdata[i];
        shape->group = g_steal_pointer(&shape->hint);
    }
    if (known) rmil_outlines_note(outlines, RMIL_NOTE_HINT, outlines->hint_member);
    return known;
}

/* ASAP numbers annotations that were not named. */
static gboolean named_by_hand(const char *title) {
    const char *rest = g_str_has_prefix(title, "Annotation ") ? title + strlen("Annotation ") : title;
    while (g_ascii_isdigit(*rest)) rest++;
    return *rest != '\0';
}

/* Without groups everything is a lesion: reports names that suggest otherwise. */
static void note_names(RmilOutlines *outlines, const Roles *roles) {
    for (guint i = 0; i < outlines->shapes->len; i++) {
        const RmilShape *shape = outlines->shapes->pdata[i];
        const char *name = shape->hint ? shape->hint : shape->title;
        if (!name || !named_by_hand(name) || role_of(roles, name) == LESION) continue;
        g_autofree char *quoted = g_strdup_printf("\"%.100s\"", name);
        rmil_outlines_note(outlines, RMIL_NOTE_UNGROUPED, quoted);
    }
}

/* For outlines of tissue: none has the tissue group, so all that are not exclusions are tissue. */
static gboolean all_tissue(const RmilOutlines *outlines, const Roles *roles) {
    for (guint i = 0; i < outlines->shapes->len; i++)
        if (role_of(roles, ((RmilShape *)outlines->shapes->pdata[i])->group) == LESION) return FALSE;
    return TRUE;
}

/* Sorts the file's shapes; none is left out because of its group. */
static void sort_tissue(RmilOutlines *outlines, const Roles *roles, GPtrArray *tissue, GPtrArray *exclusions) {
    for (guint i = 0; i < outlines->shapes->len; i++) {
        RmilShape *shape = outlines->shapes->pdata[i];
        if (has_outline(outlines, shape)) g_ptr_array_add(role_of(roles, shape->group) == EXCLUSION ? exclusions : tissue, shape);
    }
}

static gboolean sort_shapes(RmilOutlines *outlines, const Roles *roles, GPtrArray *lesions, GPtrArray *exclusions, GError **error) {
    const gboolean grouped = any_grouped(outlines) || take_hints(outlines, roles);
    gboolean known = FALSE;
    if (!grouped) note_names(outlines, roles);
    for (guint i = 0; i < outlines->shapes->len; i++) {
        RmilShape *shape = outlines->shapes->pdata[i];
        Role role = grouped ? role_of(roles, shape->group) : LESION;
        known = known || role != UNKNOWN;
        if (role == UNKNOWN) {
            g_autofree char *group = shape->group ? g_strdup_printf("\"%.100s\"", shape->group) : g_strdup("none");
            rmil_outlines_note(outlines, roles->tissue ? RMIL_NOTE_NO_TISSUE : RMIL_NOTE_GROUP, group);
        } else if (has_outline(outlines, shape)) {
            g_ptr_array_add(role == LESION ? lesions : exclusions, shape);
        }
    }
    if (!grouped || known) return TRUE;
    g_autofree char *names = group_names(outlines), *wanted = g_strjoinv(", ", (char **)roles->lesion);
    return rmil_fail(error, RMIL_ERROR_DATA,
                     "%s: no annotation is in a lesion group: the file has %s, while lesions are %s "
                     "(--lesion names others)",
                     outlines->path, names, wanted);
}

gboolean rmil_outlines_select(RmilOutlines *outlines, const RmilAnnotationOptions *options, GPtrArray *lesions, GPtrArray *exclusions,
                              GError **error) {
    Roles roles = {.outlines = outlines,
                   .lesion = options->tissue   ? tissue_groups
                             : options->lesion ? options->lesion
                                               : default_lesion,
                   .exclusion = options->tissue      ? no_tissue
                                : options->exclusion ? options->exclusion
                                                     : default_exclusion,
                   .roles = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                   .tissue = options->tissue};
    gboolean good = add_roles(&roles, roles.lesion, LESION, error) && add_roles(&roles, roles.exclusion, EXCLUSION, error);
    if (good && options->tissue && all_tissue(outlines, &roles)) sort_tissue(outlines, &roles, lesions, exclusions);
    else good = good && sort_shapes(outlines, &roles, lesions, exclusions, error);
    g_hash_table_unref(roles.roles);
    return good;
}
