/* The table of encoders. */
#include "encoder-private.h"

#include <string.h>

/* A new encoder is a file of its own and one line here. */
static const RmilEncoderKind kinds[] = {
    {"texture", 0, rmil_texture_open, rmil_texture_run, rmil_texture_close},
    {"resnet50", 3, rmil_resnet_open, rmil_resnet_encode, rmil_resnet_close},
    {"resnet50-layer4", 4, rmil_resnet_open, rmil_resnet_encode, rmil_resnet_close},
};

static const RmilEncoderKind *find_kind(const char *name, GError **error) {
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    g_autofree char *known = g_strjoinv(", ", (char **)rmil_encoder_names());
    rmil_fail(error, RMIL_ERROR_ARGUMENT, "no encoder is named \"%s\"; known: %s", name, known);
    return NULL;
}

const char *const *rmil_encoder_names(void) {
    static const char *names[G_N_ELEMENTS(kinds) + 1];
    static gsize filled;
    if (g_once_init_enter(&filled)) {
        for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) names[i] = kinds[i].name;
        g_once_init_leave(&filled, 1);
    }
    return names;
}

RmilEncoder *rmil_encoder_new(const char *name, const RmilEncoderOptions *options, GError **error) {
    const RmilEncoderKind *kind = find_kind(name, error);
    if (!kind) return NULL;
    if (options->workers < 1) {
        rmil_fail(error, RMIL_ERROR_ARGUMENT, "encoder %s: %d workers; at least 1 is needed", name, options->workers);
        return NULL;
    }
    g_autoptr(RmilEncoder) encoder = g_new0(RmilEncoder, 1);
    encoder->kind = kind;
    encoder->workers = options->workers;
    if (!kind->open(encoder, options, error)) return NULL;
    return g_steal_pointer(&encoder);
}

void rmil_encoder_free(RmilEncoder *encoder) {
    if (!encoder) return;
    encoder->kind->close(encoder->state);
    g_free(encoder->identity);
    g_free(encoder);
}

int rmil_encoder_dim(const RmilEncoder *encoder) { return encoder->dim; }

int rmil_encoder_tile_px(const RmilEncoder *encoder) { return RMIL_TILE_PX; }

const char *rmil_encoder_identity(const RmilEncoder *encoder) { return encoder->identity; }

int rmil_encoder_batch(const RmilEncoder *encoder) { return encoder->batch; }

gboolean rmil_encoder_run(RmilEncoder *encoder, int worker, const uint8_t *rgb, int count, float *features, GError **error) {
    if (worker < 0 || worker >= encoder->workers)
        return rmil_fail(error, RMIL_ERROR_ARGUMENT, "encoder %s: worker %d of %d", encoder->kind->name, worker, encoder->workers);
    return encoder->kind->run(encoder, worker, rgb, count, features, error);
}
