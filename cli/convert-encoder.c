/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil convert WEIGHTS OUT.onnx --encoder NAME: an encoder's network for ONNX runtimes. */
#include "convert.h"

#include <string.h>

GOptionEntry *convert_encoder_entries(char **encoder, char **help) {
    g_autoptr(GString) names = g_string_new("IN is its weights, OUT is OUT.onnx: ");
    for (const char *const *name = rmil_encoder_names(); *name; name++)
        if (rmil_encoder_is_network(*name)) g_string_append_printf(names, "%s, ", *name);
    g_string_append(names, "or auto: the encoder that the weights belong to");
    *help = g_string_free(g_steal_pointer(&names), FALSE);
    const GOptionEntry entries[] = {{"encoder", 0, 0, G_OPTION_ARG_STRING, encoder, *help, "NAME"}, {0}};
    return g_memdup2(entries, sizeof entries);
}

gboolean convert_encoder(Cli *cli, const char *encoder, const char *from, const char *to, GError **error) {
    if (strcmp(encoder, "auto") == 0 && !(encoder = rmil_encoder_guess(from, error))) return FALSE;
    gboolean beside;
    if (!rmil_encoder_onnx_write(encoder, from, to, &beside, error)) return FALSE;
    const RmilEncoderInfo *info = rmil_encoder_info(encoder, NULL);
    json_object_set_string_member(cli->result, "encoder", info->name);
    json_object_set_int_member(cli->result, "dim", info->dim);
    json_object_set_int_member(cli->result, "tile_px", info->tile_px);
    json_object_set_boolean_member(cli->result, "beside", beside);
    cli_say(cli, "%s: encoder %s, images of %d × %d px in, %d numbers of each out", to, info->name, info->tile_px, info->tile_px,
            info->dim);
    if (beside) cli_say(cli, "%s.data holds its weights: keep the two together", to);
    return TRUE;
}
