/* SPDX-License-Identifier: Apache-2.0 */
/* Features as PyTorch tensors. */
#include "bag-private.h"
#include "tensors/tensors-private.h"

#include <math.h>
#include <string.h>

/* PyTorch tensors: CLAM's pt_files/ID.pt, which has the features only (N, D), with coordinates in h5_files/ID.h5 next to that
 * folder; or a dictionary of `features` (or `feats`) and `coords`. */

static const RmilTensor *find_features(const RmilTensors *tensors) {
    static const char *const names[] = {"", "features", "feats"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const RmilTensor *found = rmil_tensors_find(tensors, names[i]);
        if (found) return found;
    }
    return NULL;
}

static gboolean decode(const char *path, const RmilTensor *tensor, RmilBag *bag, GError **error) {
    bag->features = rmil_alloc_features(bag->count, bag->dim * (int64_t)rmil_precision_bytes(bag->precision), error);
    if (!bag->features) {
        g_prefix_error(error, "%s: ", path);
        return FALSE;
    }
    gboolean plain = tensor->dtype == RMIL_DTYPE_F32 || tensor->dtype == RMIL_DTYPE_F16, good;
    if (plain && (uintptr_t)tensor->data % 4 == 0) {
        good = rmil_decode(tensor->dtype == RMIL_DTYPE_F16, tensor->data, bag->precision, bag->features, tensor->count);
    } else {
        float *values = rmil_alloc(tensor->count, sizeof(float), error);
        if (!values) return FALSE;
        rmil_tensor_floats(tensor, values);
        good = rmil_decode(FALSE, values, bag->precision, bag->features, tensor->count);
        rmil_free(values);
    }
    return good || rmil_not_finite(path, bag->precision, bag->features, 0, bag->dim, tensor->count, error);
}

static gboolean take_features(const char *path, const RmilTensor *tensor, RmilBag *bag, RmilBagFlags flags, GError **error) {
    int rank = tensor->rank;
    if (rank != 2 && !(rank == 3 && tensor->shape[0] == 1))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the tensor has %d axes; it needs two, patches × columns", path, rank);
    if (tensor->dtype != RMIL_DTYPE_F32 && tensor->dtype != RMIL_DTYPE_F16 && tensor->dtype != RMIL_DTYPE_BF16 &&
        tensor->dtype != RMIL_DTYPE_F64)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the tensor holds %s; features must be floating-point numbers", path,
                         rmil_dtype_name(tensor->dtype));
    bag->count = tensor->shape[rank - 2];
    bag->dim = tensor->shape[rank - 1];
    bag->stored_half = tensor->dtype == RMIL_DTYPE_F16;
    if (!rmil_layout_count(path, *tensor->name ? tensor->name : "tensor", bag->count, bag->dim, error)) return FALSE;
    if (bag->dim < 1) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: the tensor has no columns", path);
    return flags & RMIL_BAG_NO_FEATURES ? TRUE : decode(path, tensor, bag, error);
}

static gboolean take_coords(const char *path, const RmilTensor *tensor, RmilBag *bag, GError **error) {
    if (tensor->rank != 2 || tensor->shape[1] != 2 || tensor->shape[0] != bag->count)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: \"coords\" is not patches × 2 for the %" G_GINT64_FORMAT " patches of the features",
                         path, bag->count);
    if (!(bag->coords = rmil_alloc(bag->count, 2 * sizeof(int64_t), error))) return FALSE;
    if (rmil_tensor_integers(tensor, bag->coords)) return TRUE;
    g_autofree float *places = rmil_try_new(tensor->count, sizeof *places, error); /* whole numbers as floats: exact up to 2^24 */
    if (!places) return FALSE;
    rmil_tensor_floats(tensor, places);
    for (int64_t i = 0; i < tensor->count; i++) {
        if (!(fabsf(places[i]) <= 0x1p24f) || places[i] != rintf(places[i]))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: \"coords\" of patch %" G_GINT64_FORMAT " is not a whole number", path, i / 2);
        bag->coords[i] = (int64_t)places[i];
    }
    return TRUE;
}

/* CLAM's file of coordinates: …/h5_files/ID.h5 for …/pt_files/ID.pt, else ID.h5 in the same folder; NULL: there is none. */
static gboolean find_companion(const char *path, char **companion, GError **error) {
    g_autofree char *folder = g_path_get_dirname(path), *stem = rmil_path_stem(path), *name = g_strconcat(stem, ".h5", NULL);
    char *places[] = {g_build_filename(folder, "..", "h5_files", name, NULL), g_build_filename(folder, name, NULL)};
    gboolean told = TRUE, there;
    *companion = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(places); i++) {
        if (told && !*companion && (told = rmil_file_exists(places[i], &there, error)) && there && !rmil_torch_match(places[i]))
            *companion = g_steal_pointer(&places[i]);
        g_free(places[i]);
    }
    return told;
}

static gboolean take_companion(const char *path, const char *companion, RmilBag *bag, GError **error) {
    g_autoptr(RmilBag) other = rmil_bag_read(companion, NULL, bag->precision, RMIL_BAG_NO_FEATURES, error);
    if (!other) {
        g_prefix_error(error, "%s: its coordinates cannot be read: ", path);
        return FALSE;
    }
    if (other->count != bag->count)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: has %" G_GINT64_FORMAT " patches, but the coordinates in %s are for %" G_GINT64_FORMAT
                         ": both files must be from the same extraction",
                         path, bag->count, companion, other->count);
    bag->coords = g_steal_pointer(&other->coords);
    bag->tissue = g_steal_pointer(&other->tissue);
    bag->patch_labels = g_steal_pointer(&other->patch_labels);
    bag->source = g_steal_pointer(&other->source);
    bag->extractor = g_steal_pointer(&other->extractor);
    rmil_bag_copy_scale(bag, other);
    bag->mpp = other->mpp;
    return TRUE;
}

static gboolean no_features(const char *path, const RmilTensors *tensors, GError **error) {
    static const char advice[] = "save the features as torch.save(features, path), one tensor of patches × columns, or a dictionary of "
                                 "\"features\" and \"coords\"";
    const char *inside = rmil_tensors_noted(tensors, "features"), *whole = rmil_tensors_noted(tensors, "");
    if (inside) return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its \"features\" is %s, not a tensor: %s", path, inside, advice);
    if (whole && rmil_tensors_count(tensors) == 0)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: contains %s, which is not a tensor, and rankmil never runs anything in a file: "
                         "%s",
                         path, whole, advice);
    return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is neither a tensor of features nor a dictionary with \"features\": %s", path, advice);
}

gboolean rmil_torch_bag_read(const char *path, RmilBag *bag, RmilBagFlags flags, GError **error) {
    g_autoptr(RmilTensors) tensors = rmil_torch_read(path, error);
    if (!tensors) return FALSE;
    const RmilTensor *features = find_features(tensors), *coords = rmil_tensors_find(tensors, "coords");
    if (!features) return no_features(path, tensors, error);
    const char *other = coords ? NULL : rmil_tensors_noted(tensors, "coords");
    if (other)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its \"coords\" is %s, not a tensor or NumPy array of patches × 2", path, other);
    if (!take_features(path, features, bag, flags, error)) return FALSE;
    if (coords) return take_coords(path, coords, bag, error);
    g_autofree char *companion = NULL;
    return find_companion(path, &companion, error) && (!companion || take_companion(path, companion, bag, error));
}
