/* Weight files: safetensors, and what torch.save writes (zip since PyTorch 1.6, and the older pickles in a row). */
#ifndef RMIL_WEIGHTS_H
#define RMIL_WEIGHTS_H

#include "base/safetensors.h"

/* The kind is told by the content. Tensors in nested dictionaries are named with dots: "state_dict.conv1.weight".
 * sha256 (65 bytes, or NULL) gets the file's digest in hexadecimal. */
RmilTensors *rmil_weights_read(const char *path, char sha256[65], GError **error);

/* Does the file begin as those of torch.save do? FALSE also when it cannot be read. */
gboolean rmil_torch_match(const char *path);
/* Anything that torch.save wrote: a dictionary of tensors as above, or one tensor, then named "". NumPy's arrays count as
 * tensors. Whole modules give what their state_dict would; other objects are dictionaries of their attributes: nothing is
 * run. What stands in the place of tensors is noted (rmil_tensors_noted), at the top and one level below. */
RmilTensors *rmil_torch_read(const char *path, GError **error);
/* One tensor as torch.save(tensor, path) of PyTorch 1.6 and later writes it: torch.load(path, weights_only=True) gives it
 * back. float32 or float16; the same bytes for the same tensor. */
gboolean rmil_torch_write(const char *path, const RmilTensor *tensor, GError **error);
/* The same for a dictionary of n tensors by their names: a state_dict. */
gboolean rmil_torch_write_dict(const char *path, const RmilTensor *tensors, int64_t n, GError **error);

/* The two forms of PyTorch's files, from the whole file in memory, which `tensors` keeps. */
gboolean rmil_torch_zip_read(RmilTensors *tensors, const guint8 *data, gsize size, GError **error);
gboolean rmil_torch_legacy_read(RmilTensors *tensors, const guint8 *data, gsize size, GError **error);

#endif
