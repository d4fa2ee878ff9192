/* SPDX-License-Identifier: Apache-2.0 */
/* Slides, and parts of slides, that cannot be read, recognised by name and first bytes, so that a small picture inside them is not mistaken
 * for the slide. */
#include "slide/slide-private.h"

#include <openslide/openslide.h>
#include <stdio.h>
#include <string.h>

#define UNREAD ", which OpenSlide does not read"
#define CONVERT "convert it to a pyramidal TIFF, with QuPath (export as OME-TIFF) or Bio-Formats' bfconvert"
#define EXPORT "export it as SVS or TIFF from the scanner's software"
#define BY_VIPS "convert it: vips tiffsave IN OUT.tiff --tile --pyramid --compression jpeg"

/* Either the ending or the magic bytes (at offset) suffice. */
static const struct {
    const char *ending, *magic;
    gsize offset;
    const char *what, *way;
    gboolean version; /* depends on the version of OpenSlide */
} kinds[] = {
    {".vsi", NULL, 0, "an Olympus VSI file, which contains only an overview; the pixels are in a folder of .ets files beside it" UNREAD,
     CONVERT, FALSE},
    {".ets", "SIS", 0, "a part of an Olympus VSI slide" UNREAD, CONVERT, FALSE},
    {".dcm", "DICM", 128, "a DICOM file, which OpenSlide reads from version 4 on", "install that version, or " CONVERT, TRUE},
    {".czi", "ZISRAWFILE", 0, "a Zeiss CZI file, which this version of OpenSlide does not read", CONVERT, TRUE},
    {".zvi", NULL, 0, "a Zeiss ZVI file" UNREAD, CONVERT, FALSE},
    {".lif", NULL, 0, "a Leica LIF file" UNREAD, CONVERT, FALSE},
    {".nd2", NULL, 0, "a Nikon ND2 file" UNREAD, CONVERT, FALSE},
    {".oir", NULL, 0, "an Olympus OIR file" UNREAD, CONVERT, FALSE},
    {".zarr", NULL, 0, "OME-Zarr" UNREAD, CONVERT, FALSE},
    {".isyntax", NULL, 0, "a Philips iSyntax file" UNREAD, EXPORT, FALSE},
    {".i2syntax", NULL, 0, "a Philips iSyntax file" UNREAD, EXPORT, FALSE},
    {".kfb", NULL, 0, "a KFBio KFB file" UNREAD, EXPORT, FALSE},
    {".sdpc", NULL, 0, "an SQRAY SDPC file" UNREAD, EXPORT, FALSE},
    {".tmap", NULL, 0, "a UNIC TMAP file" UNREAD, EXPORT, FALSE},
    {".mds", NULL, 0, "a Motic MDS file" UNREAD, EXPORT, FALSE},
    {".mdsx", NULL, 0, "a Motic MDSX file" UNREAD, EXPORT, FALSE},
    {".jp2", "jP  \r\n\x87\n", 4, "a JPEG 2000 image, which is not read", BY_VIPS, FALSE},
    {".j2k", "\xff\x4f\xff\x51", 0, "a JPEG 2000 image, which is not read", BY_VIPS, FALSE},
    {".zip", "PK\3\4", 0, "an archive, not a slide", "unpack it", FALSE},
    {".gz", "\x1f\x8b", 0, "an archive, not a slide", "unpack it", FALSE},
    {NULL, "version https://git-lfs", 0, "a pointer of Git LFS, not the slide", "fetch the slide: git lfs pull", FALSE},
    {NULL, "<!DOCTYPE html", 0, "a web page, not a slide", "download the slide again", FALSE},
};

/* Endings of slides that OpenSlide opens completely or not at all; .tif and .tiff may be anything. */
static const char *const slide_endings[] = {".svs", ".ndpi", ".scn", ".bif", ".svslide"};

static gboolean ends_with(const char *name, const char *ending) {
    gsize n = strlen(name), m = strlen(ending);
    return n > m && g_ascii_strcasecmp(name + n - m, ending) == 0;
}

/* Both the link's own name and its target's count. */
static gboolean named(const RmilSlide *slide, const char *ending) {
    return ending && (ends_with(slide->path, ending) || ends_with(slide->file, ending));
}

static gboolean check_mirax(const RmilSlide *slide, GError **error) {
    const char *ending = strrchr(slide->file, '.');
    g_autofree char *folder = g_strndup(slide->file, (gsize)(ending - slide->file));
    g_autofree char *index = g_build_filename(folder, "Slidedat.ini", NULL), *shown = g_filename_display_name(folder);
    if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
        return rmil_fail(
            error, RMIL_ERROR_FORMAT,
            "%s: is a MIRAX slide without its pixels: the folder %s/ that contains them is missing: copy it next to this file, under the "
            "same name",
            slide->name, shown);
    if (!g_file_test(index, G_FILE_TEST_EXISTS))
        return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is a MIRAX slide whose folder %s/ lacks Slidedat.ini: copy the whole folder again",
                         slide->name, shown);
    return rmil_fail(error, RMIL_ERROR_FORMAT,
                     "%s: is a MIRAX slide that OpenSlide does not open: its name must end in .mrxs, in lower case", slide->name);
}

gboolean rmil_slide_check_unread(RmilSlide *slide, GError **error) {
    char head[160] = {0};
    FILE *file = fopen(slide->file, "rb");
    gsize size = file ? fread(head, 1, sizeof head, file) : 0;
    if (file) fclose(file);
    if (ends_with(slide->file, ".mrxs")) return check_mirax(slide, error);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        gsize length = kinds[i].magic ? strlen(kinds[i].magic) : 0;
        gboolean same = length && size >= kinds[i].offset + length && memcmp(head + kinds[i].offset, kinds[i].magic, length) == 0;
        if (same || named(slide, kinds[i].ending))
            return rmil_fail(error, RMIL_ERROR_FORMAT, "%s: is %s%s%s: %s", slide->name, kinds[i].what,
                             kinds[i].version ? "; this is " : "", kinds[i].version ? openslide_get_version() : "", kinds[i].way);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(slide_endings); i++)
        if (named(slide, slide_endings[i]))
            rmil_slide_warn(slide, "is named %s, but OpenSlide does not recognise it as a slide: it is read as a plain image",
                            slide_endings[i]);
    return TRUE;
}
