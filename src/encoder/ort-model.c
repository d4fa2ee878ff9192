/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and running a model with ONNX Runtime. */
#include "ort-model.h"

#include "ort-device.h"
#include "ort-value.h"
#include "tensors/tensors-private.h"

#include <string.h>

enum { MOST_DIM = 1 << 20, MOST_SIDE = 1 << 14, GPU_BATCH = 32 };

struct _RmilOrtModel {
    RmilOrtLibrary *library;
    RmilOrtEnv *env;
    RmilOrtSession *session;
    RmilOrtMemory *memory;
    char *path;
    RmilOrtPort input, output;
    int side, batch, dim;
    int64_t places; /* of an image's map, whose mean is the vector; 1: the output itself is the vector */
};

/* -- inputs and outputs ----------------------------------------------------------------------------------------------------- */

static gboolean check_input(const RmilOrtModel *m, GError **error) {
    const RmilOrtPort *in = &m->input;
    g_autofree char *text = rmil_ort_port_text(in);
    const int64_t *d = in->dimensions;
    if (!in->tensor || in->rank != 4 || (in->element != RMIL_ORT_FLOAT && in->element != RMIL_ORT_FLOAT16))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its input is %s; it must be images × 3 × height × width of float32 or float16",
                         m->path, text);
    if (d[1] != 3 && d[1] >= 0)
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its input is %s: the second size must be the 3 colours%s", m->path, text,
                         d[3] == 3 ? "; here they come last: export the model with images × 3 × height × width" : "");
    if (d[0] > 1)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: its input is %s: export the model with any number of images, or with 1, instead of %" G_GINT64_FORMAT,
                         m->path, text, d[0]);
    if (d[2] >= 0 && d[3] >= 0 && d[2] != d[3])
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its input is %s; tiles are square", m->path, text);
    const int64_t side = d[2] >= 0 ? d[2] : d[3];
    return side < 0 || side == m->side ||
           rmil_fail(error, RMIL_ERROR_ARGUMENT,
                     "%s: its input is %s, and tiles are %d px a side: give --input-px %" G_GINT64_FORMAT
                     " (--tile-mpp sets their µm per px)",
                     m->path, text, m->side, side);
}

static gboolean choose_output(RmilOrtModel *m, GArray *outputs, const char *wanted, GError **error) {
    RmilOrtPort *found = NULL;
    for (guint i = 0; i < outputs->len && !found; i++) {
        RmilOrtPort *port = &g_array_index(outputs, RmilOrtPort, i);
        if (wanted ? strcmp(port->name, wanted) == 0 : outputs->len == 1 || (port->tensor && port->rank == 2)) found = port;
    }
    g_autofree char *all = rmil_ort_ports_text(outputs);
    if (!found && wanted)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "%s: has no output %s (--onnx-output); it has %s", m->path, wanted, all);
    if (!found)
        return rmil_fail(error, RMIL_ERROR_FORMAT,
                         "%s: no output is one vector per image; it has %s. Export the model with its pooling, or choose an output "
                         "with --onnx-output",
                         m->path, all);
    if (!found->tensor || (found->element != RMIL_ORT_FLOAT && found->element != RMIL_ORT_FLOAT16))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its output is not of float32 or float16; it has %s", m->path, all);
    m->output = *found;
    found->name = NULL;
    return TRUE;
}

static gboolean read_ports(RmilOrtModel *m, const char *wanted, GError **error) {
    g_autoptr(GArray) inputs = rmil_ort_ports_new(m->library, m->session, FALSE, m->path, error),
                      outputs = inputs ? rmil_ort_ports_new(m->library, m->session, TRUE, m->path, error) : NULL;
    if (!outputs) return FALSE;
    if (inputs->len != 1) {
        g_autofree char *all = rmil_ort_ports_text(inputs);
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: has %u inputs (%s); it must have only one, the images", m->path, inputs->len, all);
    }
    m->input = g_array_index(inputs, RmilOrtPort, 0);
    g_array_index(inputs, RmilOrtPort, 0).name = NULL;
    return check_input(m, error) && choose_output(m, outputs, wanted, error);
}

/* -- running ------------------------------------------------------------------------------------------------------------------- */

static gsize image_numbers(const RmilOrtModel *m) { return (gsize)m->side * (gsize)m->side * 3; }

/* Runs a batch; *value must be released. */
static gboolean run_values(RmilOrtModel *m, void *images, RmilOrtValue **value, GError **error) {
    const RmilOrtApi *api = m->library->api;
    const int64_t shape[] = {m->batch, 3, m->side, m->side};
    const gsize bytes = (gsize)m->batch * image_numbers(m) * (rmil_ort_model_half(m) ? 2 : 4);
    const char *const input = m->input.name, *const output = m->output.name;
    RmilOrtValue *given = NULL;
    if (!rmil_ort_good(m->library, api->create_tensor(m->memory, images, bytes, shape, 4, m->input.element, &given), m->path, error))
        return FALSE;
    const RmilOrtValue *const all[] = {given};
    *value = NULL;
    const gboolean good = rmil_ort_good(m->library, api->run(m->session, NULL, &input, all, 1, &output, 1, value), m->path, error);
    api->release_value(given);
    return good;
}

/* Checks that the output is a vector for each image, or a map of vectors, height × width. */
static gboolean check_value(const RmilOrtModel *m, const RmilOrtValue *value, int *dim, int64_t *places, GError **error) {
    RmilOrtPort seen = {.name = m->output.name};
    if (!rmil_ort_port_of_value(m->library, value, &seen, m->path, error)) return FALSE;
    const int64_t *d = seen.dimensions;
    const gboolean map = seen.rank == 4 && d[2] > 0 && d[2] <= MOST_SIDE && d[3] > 0 && d[3] <= MOST_SIDE;
    if ((seen.rank == 2 || map) && d[0] == m->batch && d[1] > 0 && d[1] <= MOST_DIM && seen.element == m->output.element) {
        *dim = (int)d[1];
        *places = map ? d[2] * d[3] : 1;
        return TRUE;
    }
    g_autofree char *text = rmil_ort_port_text(&seen);
    return rmil_fail(
        error, RMIL_ERROR_FORMAT,
        "%s: of %d image%s its output is %s; it must be one vector per image, or a map of vectors (images × D × height × width): "
        "choose another output with --onnx-output, or export the model with its pooling",
        m->path, m->batch, m->batch == 1 ? "" : "s", text);
}

/* The mean of each component over the places of its map. */
static gboolean pool(const RmilOrtModel *m, const void *data, float *vectors, gboolean *finite, GError **error) {
    const int64_t count = (int64_t)m->batch * m->dim;
    g_autofree float *maps = rmil_try_new(count, (gsize)m->places * sizeof *maps, error);
    if (!maps) return FALSE;
    *finite = rmil_decode(m->output.element == RMIL_ORT_FLOAT16, data, RMIL_FLOAT32, maps, count * m->places);
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int64_t k = 0; k < m->places; k++) sum += (double)maps[i * m->places + k];
        vectors[i] = (float)(sum / (double)m->places);
    }
    return TRUE;
}

static gboolean take_vectors(const RmilOrtModel *m, const void *data, float *vectors, GError **error) {
    gboolean finite;
    if (m->places == 1)
        finite = rmil_decode(m->output.element == RMIL_ORT_FLOAT16, data, RMIL_FLOAT32, vectors, (int64_t)m->batch * m->dim);
    else if (!pool(m, data, vectors, &finite, error)) return FALSE;
    return finite || rmil_fail(error, RMIL_ERROR_DATA, "%s: returns numbers that are not finite", m->path);
}

gboolean rmil_ort_model_run(RmilOrtModel *m, void *images, float *vectors, GError **error) {
    const RmilOrtApi *api = m->library->api;
    RmilOrtValue *value;
    void *data;
    int dim = 0;
    int64_t places = 0;
    if (!run_values(m, images, &value, error)) return FALSE;
    gboolean good = check_value(m, value, &dim, &places, error) &&
                    rmil_ort_good(m->library, api->tensor_data(value, &data), m->path, error);
    if (good && (dim != m->dim || places != m->places))
        good = rmil_fail(error, RMIL_ERROR_FORMAT, "%s: its output changes shape between images of the same size", m->path);
    good = good && take_vectors(m, data, vectors, error);
    api->release_value(value);
    return good;
}

/* -- opening ------------------------------------------------------------------------------------------------------------------- */

/* On the processor the file must be at fault; on other devices it may be the machine. */
static gboolean create_session(RmilOrtModel *m, const RmilOrtOptions *options, const char *device, GError **error) {
    const RmilOrtLibrary *library = m->library;
    g_autofree char *what = g_strdup_printf("%s: ONNX Runtime %s does not open it", m->path, library->version);
    GError *reason = NULL;
    if (rmil_ort_good(library, library->api->create_session(m->env, m->path, options, &m->session), what, &reason)) return TRUE;
    if (rmil_ort_device_processor(device)) {
        g_propagate_error(error, reason);
        return FALSE;
    }
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "--device %s: %s: %s", device, library->path, reason->message);
    g_error_free(reason);
    return FALSE;
}

static gboolean open_session(RmilOrtModel *m, const char *device, GError **error) {
    const RmilOrtLibrary *library = m->library;
    const RmilOrtApi *api = library->api;
    RmilOrtOptions *options = NULL;
    if (!rmil_ort_good(library, api->create_env(RMIL_ORT_QUIET, "rankmil", &m->env), library->path, error) ||
        !rmil_ort_good(library, api->cpu_memory(RMIL_ORT_ARENA, RMIL_ORT_DEFAULT_MEMORY, &m->memory), library->path, error) ||
        !rmil_ort_good(library, api->create_options(&options), library->path, error))
        return FALSE;
    gboolean good = rmil_ort_good(library, api->set_log_level(options, RMIL_ORT_QUIET), library->path, error) &&
                    rmil_ort_good(library, api->set_threads(options, 1), library->path, error) &&
                    rmil_ort_good(library, api->set_threads_between(options, 1), library->path, error) &&
                    rmil_ort_device_add(library, options, device, error);
    good = good && create_session(m, options, device, error);
    api->release_options(options);
    return good;
}

/* Networks that repeatedly halve their images accept only some sizes, and report that in their own words. */
static gboolean run_first(RmilOrtModel *m, void *images, RmilOrtValue **value, GError **error) {
    GError *reason = NULL;
    if (run_values(m, images, value, &reason)) return TRUE;
    rmil_fail(error, RMIL_ERROR_FORMAT,
              "%s; so it cannot run on an image of %d × %d px: if it takes other sizes (multiples of its patch, or of 8, 16 or 32), "
              "give one with --input-px",
              reason->message, m->side, m->side);
    g_error_free(reason);
    return FALSE;
}

/* Finds the length of a vector by running a black batch. */
static gboolean measure(RmilOrtModel *m, GError **error) {
    g_autofree void *images = rmil_try_new(m->batch, image_numbers(m) * sizeof(float), error);
    RmilOrtValue *value;
    if (!images || !run_first(m, images, &value, error)) return FALSE;
    const gboolean good = check_value(m, value, &m->dim, &m->places, error);
    m->library->api->release_value(value);
    return good;
}

RmilOrtModel *rmil_ort_model_new(RmilOrtLibrary *library, const RmilOrtModelConfig *config, GError **error) {
    g_autoptr(RmilOrtModel) m = g_new0(RmilOrtModel, 1);
    m->library = library;
    m->path = g_strdup(config->path);
    m->side = config->side;
    if (!open_session(m, config->device, error) || !read_ports(m, config->output, error)) return NULL;
    m->batch = rmil_ort_device_processor(config->device) || m->input.dimensions[0] == 1 ? 1 : GPU_BATCH;
    return measure(m, error) ? g_steal_pointer(&m) : NULL;
}

void rmil_ort_model_free(RmilOrtModel *m) {
    if (!m) return;
    const RmilOrtApi *api = m->library->api;
    if (m->session) api->release_session(m->session);
    if (m->memory) api->release_memory(m->memory);
    if (m->env) api->release_env(m->env);
    g_free(m->input.name);
    g_free(m->output.name);
    g_free(m->path);
    rmil_ort_library_free(m->library);
    g_free(m);
}

int rmil_ort_model_dim(const RmilOrtModel *m) { return m->dim; }

int64_t rmil_ort_model_places(const RmilOrtModel *m) { return m->places; }

int rmil_ort_model_batch(const RmilOrtModel *m) { return m->batch; }

gboolean rmil_ort_model_half(const RmilOrtModel *m) { return m->input.element == RMIL_ORT_FLOAT16; }

const char *rmil_ort_model_output(const RmilOrtModel *m) { return m->output.name; }
