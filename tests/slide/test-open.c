/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: what is a slide, what is an image, what is neither; and how large a pixel is. */
#include "make-slide.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_fails(const char *path, RmilErrorCode code, const char *part) {
    GError *error = NULL;
    g_assert_null(rmil_slide_open(path, 0, &error));
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_null(strchr(error->message, '\n'));
    g_autofree char *name = g_filename_display_basename(path);
    g_assert_nonnull(strstr(error->message, name));
    test_error(&error, code, part);
}

static void test_neither(void) {
    g_autofree char *folder = test_folder();
    g_autofree char *missing = g_build_filename(folder, "none.svs", NULL);
    assert_fails(missing, RMIL_ERROR_IO, "No such file");
    assert_fails(folder, RMIL_ERROR_IO, "is a folder");
    assert_fails("/dev/null", RMIL_ERROR_IO, "regular file");
    g_autofree char *empty = test_file(folder, "empty.svs", "");
    assert_fails(empty, RMIL_ERROR_FORMAT, "is empty");
    g_autofree char *text = test_file(folder, "text.tiff", "II is how a TIFF starts, but this is text\n");
    assert_fails(text, RMIL_ERROR_FORMAT, "neither a slide");
    g_autofree char *short_tiff = test_file(folder, "short.tiff", "MM"), *png = test_file(folder, "half.png", "\x89PNG\r\n\x1a\n..");
    assert_fails(short_tiff, RMIL_ERROR_FORMAT, "neither a slide");
    assert_fails(png, RMIL_ERROR_FORMAT, "cannot be opened as png");
    g_autofree char *script = test_file(folder, "odd.svg", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>");
    assert_fails(script, RMIL_ERROR_FORMAT, "neither a slide");
}

/* The super-user may read everything, so its rights are put down for a moment. */
static void test_permission(void) {
    g_autofree char *folder = test_folder(), *path = test_file(folder, "closed.svs", "II*");
    g_chmod(path, 0);
    gboolean super = geteuid() == 0;
    if (super) g_assert_cmpint(seteuid(65534), ==, 0);
    assert_fails(path, RMIL_ERROR_IO, "Permission denied");
    if (super) g_assert_cmpint(seteuid(0), ==, 0);
}

static void test_truncated(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(500, 400, 1);
    g_autofree char *path = make_slide(folder, "whole.tiff", picture, (SlideForm){.mpp = 0.5, .pyramid = TRUE});
    g_autofree char *data = NULL;
    gsize size;
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    g_autofree char *cut = g_build_filename(folder, "cut.tiff", NULL);
    /* Wherever it ends: opening or reading says so, or what was cut off were the coarser levels. */
    for (gsize part = 1; part < 8; part++) {
        g_assert_true(g_file_set_contents(cut, data, (gssize)(size * part / 8), NULL));
        GError *error = NULL;
        g_autoptr(RmilSlide) slide = rmil_slide_open(cut, 0.5, &error);
        g_autofree uint8_t *rgb = g_malloc(3 * 500 * 400);
        if (slide && rmil_slide_read(slide, 0, 0, 1, 500, 400, rgb, &error)) {
            g_assert_cmpuint(part, >, 5);
            g_assert_true(memcmp(rgb, picture->rgb, 3 * 500 * 400) == 0);
        } else {
            test_error(&error, RMIL_ERROR_FORMAT, "cut.tiff");
        }
    }
    g_autofree char *jpeg = make_image(folder, "whole.jpg", picture), *half = g_build_filename(folder, "half.jpg", NULL);
    g_autofree char *bytes = NULL;
    g_assert_true(g_file_get_contents(jpeg, &bytes, &size, NULL));
    g_assert_true(g_file_set_contents(half, bytes, (gssize)(size / 2), NULL));
    g_autoptr(RmilSlide) image = open_slide(half, 0);
    GError *error = NULL;
    uint8_t rgb[3];
    g_assert_false(rmil_slide_read(image, 0, 0, 1, 1, 1, rgb, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "half.jpg: cannot be decoded as jpeg");
    g_assert_false(rmil_slide_read(image, 0, 0, 1, 1, 1, rgb, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "half.jpg: cannot be decoded as jpeg");
}

/* What a file is, its content says. */
static void test_names(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(70, 66, 2);
    const char *names[] = {"a.png", "b.jpg", "c.webp"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = make_image(folder, names[i], picture);
        g_autofree char *other = g_build_filename(folder, "named[page=1].svs", NULL);
        g_assert_cmpint(g_rename(path, other), ==, 0);
        g_autoptr(RmilSlide) slide = open_slide(other, 0);
        g_assert_true(rmil_slide_info(slide)->plain);
        g_assert_cmpint(rmil_slide_info(slide)->mpp_source, ==, RMIL_MPP_NONE);
        g_assert_cmpint(rmil_slide_info(slide)->width, ==, 70);
    }
    g_autofree char *slide_path = make_slide(folder, "s.jpg", picture, (SlideForm){.mpp = 0.5});
    g_autofree char *strange = g_build_filename(folder, "na\xefve \xff.jpg", NULL);
    g_assert_cmpint(g_rename(slide_path, strange), ==, 0);
    g_autoptr(RmilSlide) slide = open_slide(strange, 0);
    g_assert_false(rmil_slide_info(slide)->plain);
    g_assert_cmpstr(rmil_slide_info(slide)->format, ==, "generic-tiff");
    g_assert_cmpstr(rmil_slide_path(slide), ==, strange);
    g_autofree char *lost = g_build_filename(folder, "n\xff.svs", NULL);
    GError *error = NULL;
    g_assert_null(rmil_slide_open(lost, 0, &error));
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    test_error(&error, RMIL_ERROR_IO, "No such file");
}

#define APERIO(keys) "Aperio Image Library v12\n500x400 [0,0 500x400] (64x64) JPEG/RGB Q=90|" keys

static void test_resolution(void) {
    const struct {
        double tags;
        const char *description;
        double given, mpp;
        RmilMppSource source;
        const char *warning;
    } cases[] = {
        {0.25, NULL, 0, 0.25, RMIL_MPP_RESOLUTION, NULL},
        {0.25, NULL, 0.5, 0.5, RMIL_MPP_GIVEN, NULL},
        {0.25, APERIO("AppMag = 20|MPP = 0.4990"), 0, 0.499, RMIL_MPP_PROPERTY, NULL},
        {0.25, APERIO("AppMag = 20|MPP = 0.4990"), 1.25, 1.25, RMIL_MPP_GIVEN, NULL},
        {0.25, APERIO("AppMag = 20|MPP = 499"), 0, 0.25, RMIL_MPP_RESOLUTION, "scanner's mpp of 499"},
        {0.25, APERIO("AppMag = 20|MPP = -1"), 0, 0.25, RMIL_MPP_RESOLUTION, "scanner's mpp of -1"},
        {0, APERIO("AppMag = 20|MPP = none"), 0, 0.5, RMIL_MPP_OBJECTIVE, "guessed from the 20× objective"},
        {0, APERIO("AppMag = 40"), 0, 0.25, RMIL_MPP_OBJECTIVE, "TIFF resolution of 1000 × 1000"},
        {0, NULL, 0, 0, RMIL_MPP_NONE, "give --mpp"},
        {0, APERIO("AppMag = 0"), 0, 0, RMIL_MPP_NONE, "give --mpp"},
        {72 / 25.4, NULL, 0.3, 0.3, RMIL_MPP_GIVEN, NULL},
    };
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(80, 70, 0xc080c0);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = make_slide(folder, "mpp.tiff", picture,
                                           (SlideForm){.mpp = cases[i].tags, .description = cases[i].description});
        GError *error = NULL;
        g_autoptr(RmilSlide) slide = rmil_slide_open(path, cases[i].given, &error);
        if (cases[i].source == RMIL_MPP_NONE) {
            test_error(&error, RMIL_ERROR_RESOLUTION, cases[i].warning);
            continue;
        }
        g_assert_no_error(error);
        const RmilSlideInfo *info = rmil_slide_info(slide);
        g_assert_cmpint(info->mpp_source, ==, cases[i].source);
        g_assert_cmpfloat_with_epsilon(info->mpp, cases[i].mpp, 1e-6);
        g_autofree char *said = g_strjoinv("\n", (char **)info->warnings);
        if (cases[i].warning) g_assert_nonnull(strstr(said, cases[i].warning));
        else g_assert_cmpstr(said, ==, "");
    }
}

#define OME(attributes)                                                                                                                    \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\">"                          \
    "<Image ID=\"Image:0\"><Pixels ID=\"Pixels:0\" SizeC=\"3\" " attributes "><Channel ID=\"Channel:0:0\" SamplesPerPixel=\"3\"/>"         \
    "<TiffData/></Pixels></Image><Image ID=\"Image:1\"><Pixels PhysicalSizeX=\"8\"/></Image></OME>"

/* What TIFF files say, tiled (OpenSlide's) or not (libvips'); also numbers that are believed but seldom right. */
static void test_tags(void) {
    const struct {
        double tags;
        const char *description;
        double mpp;
        RmilMppSource source;
        const char *warning;
    } cases[] = {
        {0.5, NULL, 0.5, RMIL_MPP_RESOLUTION, NULL},
        {0, OME("PhysicalSizeX=\"0.5\" PhysicalSizeY=\"0.5\""), 0.5, RMIL_MPP_OME, NULL},
        {0.25, OME("PhysicalSizeX=\"0.5\" PhysicalSizeXUnit=\"µm\" PhysicalSizeY=\"0.5\" PhysicalSizeYUnit=\"µm\""), 0.5, RMIL_MPP_OME,
         NULL},
        {0, OME("PhysicalSizeX=\"502\" PhysicalSizeXUnit=\"nm\" PhysicalSizeY=\"502\" PhysicalSizeYUnit=\"nm\""), 0.502, RMIL_MPP_OME,
         NULL},
        {0, OME("PhysicalSizeX=\"2.5E-4\" PhysicalSizeXUnit=\"mm\" PhysicalSizeY=\"2.5E-4\" PhysicalSizeYUnit=\"mm\""), 0.25, RMIL_MPP_OME,
         NULL},
        {0, OME("PhysicalSizeX=\"1E-5\" PhysicalSizeXUnit=\"inch\" PhysicalSizeY=\"1E-5\" PhysicalSizeYUnit=\"inch\""), 0.254, RMIL_MPP_OME,
         NULL},
        {0.25, OME("PhysicalSizeX=\"1\" PhysicalSizeXUnit=\"pixel\" PhysicalSizeY=\"1\" PhysicalSizeYUnit=\"pixel\""), 0.25,
         RMIL_MPP_RESOLUTION, NULL},
        {0.025, NULL, 0.025, RMIL_MPP_RESOLUTION, "the TIFF resolution is 0.025 µm per pixel, which is unusual: a scan at 400×"},
        {2.5, NULL, 2.5, RMIL_MPP_RESOLUTION, "the TIFF resolution is 2.5"},
        {0, OME("PhysicalSizeX=\"3.3\" PhysicalSizeY=\"3.3\""), 3.3, RMIL_MPP_OME, "PhysicalSize is 3.3 µm per pixel, which is unusual"},
    };
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(80, 70, 0xc080c0);
    for (gsize i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        gsize k = i / 2;
        g_autofree char *path = make_slide(folder, "t.tiff", picture,
                                           (SlideForm){.mpp = cases[k].tags, .description = cases[k].description, .strips = i % 2});
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        const RmilSlideInfo *info = rmil_slide_info(slide);
        g_assert_cmpint(info->plain, ==, i % 2);
        g_assert_cmpint(info->mpp_source, ==, cases[k].source);
        g_assert_cmpfloat_with_epsilon(info->mpp, cases[k].mpp, 1e-6);
        g_autofree char *said = g_strjoinv("\n", (char **)info->warnings);
        if (cases[k].warning) g_assert_nonnull(strstr(said, cases[k].warning));
        else g_assert_cmpstr(said, ==, "");
    }
    /* 72 dpi, which programs write without meaning it, and no tags at all */
    for (int i = 0; i < 2; i++) {
        g_autofree char *path = make_slide(folder, "p.tiff", picture, (SlideForm){.mpp = i ? 25400.0 / 72 : 0, .strips = TRUE});
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        g_assert_cmpint(rmil_slide_info(slide)->mpp_source, ==, RMIL_MPP_NONE);
        g_assert_null(rmil_slide_info(slide)->warnings[0]);
    }
    /* the scanner's two numbers do not go together; numbers that were given */
    g_autofree char *odd = make_slide(folder, "o.tiff", picture, (SlideForm){.mpp = 0.25, .description = APERIO("AppMag = 40|MPP = 1.0")});
    g_autoptr(RmilSlide) slide = open_slide(odd, 0), power = open_slide(odd, 40), given = open_slide(odd, 0.5);
    g_assert_nonnull(strstr(rmil_slide_info(slide)->warnings[0], "o.tiff: 1 µm per pixel does not match its 40× objective: if it is "
                                                                 "wrong, give --mpp or the cohort's mpp column"));
    g_assert_nonnull(strstr(rmil_slide_info(power)->warnings[0], "o.tiff: the given mpp is 40 µm per pixel: is that the magnification?"));
    g_assert_null(rmil_slide_info(given)->warnings[0]);
}

/* An uncompressed big-endian TIFF of one tile of 64 × 64 gray pixels, 20,000 pixels per cm; OpenSlide does not take it for a slide. */
static char *make_big_endian(const char *folder, const char *description) {
    const guint length = (guint)strlen(description) + 1, text = 8, ratio = text + ((length + 1) & ~1u), data = ratio + 8,
                ifd = data + 64 * 64;
    const guint16 tags[][2] = {{256, 3}, {257, 3}, {258, 3}, {259, 3}, {262, 3}, {270, 2}, {277, 3},
                               {282, 5}, {283, 5}, {296, 3}, {322, 3}, {323, 3}, {324, 4}, {325, 4}};
    const guint values[] = {64, 64, 8, 1, 1, text, 1, ratio, ratio, 3, 64, 64, data, 64 * 64};
    const guint n = G_N_ELEMENTS(values), size = ifd + 2 + 12 * n + 4;
    g_autofree uint8_t *file = g_malloc0(size);
    memset(file + data, 200, 64 * 64);
    memcpy(file, "MM\0*", 4);
    memcpy(file + text, description, length);
    const guint words[][2] = {{4, ifd}, {ratio, 20000}, {ratio + 4, 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) memcpy(file + words[i][0], &(guint32){GUINT32_TO_BE(words[i][1])}, 4);
    memcpy(file + ifd, &(guint16){GUINT16_TO_BE((guint16)n)}, 2);
    for (guint i = 0; i < n; i++) {
        uint8_t *entry = file + ifd + 2 + 12 * i;
        memcpy(entry, &(guint16){GUINT16_TO_BE(tags[i][0])}, 2);
        memcpy(entry + 2, &(guint16){GUINT16_TO_BE(tags[i][1])}, 2);
        memcpy(entry + 4, &(guint32){GUINT32_TO_BE(tags[i][1] == 2 ? length : 1)}, 4);
        if (tags[i][1] == 3) memcpy(entry + 8, &(guint16){GUINT16_TO_BE((guint16)values[i])}, 2);
        else memcpy(entry + 8, &(guint32){GUINT32_TO_BE(values[i])}, 4);
    }
    char *path = g_build_filename(folder, "big.tif", NULL);
    g_assert_true(g_file_set_contents(path, (const char *)file, size, NULL));
    return path;
}

static void test_big_endian(void) {
    g_autofree char *folder = test_folder(), *path = make_big_endian(folder, "a camera");
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    g_assert_cmpint(rmil_slide_info(slide)->mpp_source, ==, RMIL_MPP_RESOLUTION);
    g_assert_cmpfloat_with_epsilon(rmil_slide_info(slide)->mpp, 0.5, 1e-6);
    uint8_t rgb[3];
    GError *error = NULL;
    g_assert_true(rmil_slide_read(slide, 5, 5, 1, 1, 1, rgb, &error));
    assert_pixel(rgb, (uint8_t[]){200, 200, 200}, 0);
}

static void test_resolution_argument(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_new(80, 70, 0xc080c0);
    g_autofree char *path = make_image(folder, "plain.png", picture);
    const double bad[] = {-1, 1e-9, 1e9, INFINITY, NAN};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        g_assert_null(rmil_slide_open(path, bad[i], &error));
        test_error(&error, RMIL_ERROR_ARGUMENT, "plain.png: mpp");
    }
    g_autoptr(RmilSlide) slide = open_slide(path, 0.4);
    g_assert_cmpfloat(rmil_slide_info(slide)->mpp, ==, 0.4);
    g_assert_cmpint(rmil_slide_info(slide)->mpp_source, ==, RMIL_MPP_GIVEN);
}

static void test_bounds(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(320, 192, 3);
    for (int pyramid = 0; pyramid < 2; pyramid++) {
        g_autofree char *path = make_leica(folder, "bounds.scn", picture, 100, 60, 800, 640, pyramid);
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        const RmilSlideInfo *info = rmil_slide_info(slide);
        g_assert_cmpstr(info->format, ==, "leica");
        g_assert_cmpint(info->width, ==, 800);
        g_assert_cmpint(info->height, ==, 640);
        g_assert_cmpint(info->bounds_x, ==, 100);
        g_assert_cmpint(info->bounds_y, ==, 60);
        g_assert_cmpint(info->bounds_width, ==, 320);
        g_assert_cmpint(info->bounds_height, ==, 192);
        g_assert_cmpint(info->levels, >, pyramid);
        g_assert_cmpfloat_with_epsilon(info->mpp, 0.25, 1e-6);
    }
}

/* The .mrxs is a thumbnail, or empty; the pixels are in its folder, which a link does not lie beside. */
static void test_mirax(void) {
    g_autofree char *folder = test_folder(), *store = g_build_filename(folder, "store", NULL);
    g_autoptr(Picture) picture = picture_noise(512, 256, 4);
    g_assert_cmpint(g_mkdir(store, 0755), ==, 0);
    g_autofree char *path = make_mirax(store, "a.mrxs", picture, 1, 2), *link = g_build_filename(folder, "b.mrxs", NULL);
    g_assert_cmpint(symlink("store/a.mrxs", link), ==, 0);
    const char *const paths[] = {path, link};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(RmilSlide) slide = open_slide(paths[i], 0);
        const RmilSlideInfo *info = rmil_slide_info(slide);
        g_assert_cmpstr(info->format, ==, "mirax");
        g_assert_cmpstr(rmil_slide_path(slide), ==, paths[i]);
        g_assert_cmpint(info->bounds_x, ==, 256);
        g_assert_cmpint(info->bounds_y, ==, 512);
        g_assert_cmpint(info->bounds_width, ==, 512);
        uint8_t *rgb = g_malloc(512 * 256 * 3);
        GError *error = NULL;
        g_assert_true(rmil_slide_read(slide, 256, 512, 1, 512, 256, rgb, &error));
        g_free(rgb);
    }
    g_autofree char *thumbnail = make_image(folder, "lost.jpg", picture), *lost = g_build_filename(folder, "lost.mrxs", NULL);
    g_assert_cmpint(g_rename(thumbnail, lost), ==, 0);
    assert_fails(lost, RMIL_ERROR_FORMAT, "lost/ that contains them is missing");
    g_autofree char *lost_folder = g_build_filename(folder, "lost", NULL), *lost_link = g_build_filename(folder, "to-lost.mrxs", NULL);
    g_assert_cmpint(symlink("lost.mrxs", lost_link), ==, 0);
    assert_fails(lost_link, RMIL_ERROR_FORMAT, "lost/ that contains them is missing");
    g_assert_cmpint(g_mkdir(lost_folder, 0755), ==, 0);
    assert_fails(lost, RMIL_ERROR_FORMAT, "lacks Slidedat.ini");
}

/* Formats that are not read, by name and by content, with the way out; never the small picture in them. */
static void test_unread(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(70, 60, 2);
    g_autofree char *overview = make_slide(folder, "s.vsi", picture, (SlideForm){.strips = TRUE}), *dicom = NULL;
    assert_fails(overview, RMIL_ERROR_FORMAT, "an Olympus VSI file");
    char head[132] = {0};
    memcpy(head + 128, "DICM", 4);
    dicom = g_build_filename(folder, "IM0001", NULL);
    g_assert_true(g_file_set_contents(dicom, head, sizeof head, NULL));
    assert_fails(dicom, RMIL_ERROR_FORMAT, "a DICOM file, which OpenSlide reads from version 4 on; this is");
    const struct {
        const char *name, *text, *part;
    } cases[] = {
        {"a.CZI", "x", "Zeiss CZI"},
        {"a.svs", "ZISRAWFILE", "Zeiss CZI"},
        {"a.isyntax", "x", "Philips iSyntax"},
        {"a.kfb", "x", "KFB"},
        {"a.ets", "SIS", "part of an Olympus"},
        {"b.svs", "version https://git-lfs.github.com/", "git lfs pull"},
        {"a.svs.zip", "PK\3\4", "unpack"},
        {"c.svs", "<!DOCTYPE html>", "web page"},
        {"a.jp2", "x", "vips tiffsave"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = test_file(folder, cases[i].name, cases[i].text);
        assert_fails(path, RMIL_ERROR_FORMAT, cases[i].part);
    }
    g_autofree char *image = make_image(folder, "p.png", picture), *svs = g_build_filename(folder, "p.svs", NULL);
    g_assert_cmpint(g_rename(image, svs), ==, 0);
    g_autoptr(RmilSlide) slide = open_slide(svs, 0);
    g_assert_nonnull(strstr(rmil_slide_info(slide)->warnings[0], "p.svs: is named .svs, but"));
}

/* A page that is no level of the pyramid, though it says so, is neither read nor counted. */
static void test_levels(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(1024, 768, 6);
    g_autofree char *path = make_slide(folder, "levels.tiff", picture, (SlideForm){.mpp = 0.5, .pyramid = TRUE});
    int levels = 0;
    {
        g_autoptr(RmilSlide) whole = open_slide(path, 0);
        levels = rmil_slide_info(whole)->levels;
        g_assert_null(rmil_slide_info(whole)->warnings[0]);
    }
    patch_tag(path, 1, 257, 128); /* 512 × 384 becomes 512 × 128 */
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    const RmilSlideInfo *info = rmil_slide_info(slide);
    g_assert_cmpint(info->levels, ==, levels - 1);
    g_assert_nonnull(strstr(info->warnings[0], "levels.tiff: level 1 of 512 × 128 pixels has a different shape from level 0 (1024 × "
                                               "768)"));
    g_autofree char *single = make_slide(folder, "single.tiff", picture, (SlideForm){.mpp = 0.5});
    g_autoptr(RmilSlide) alone = open_slide(single, 0);
    uint8_t a[3 * 64 * 48], b[3 * 64 * 48];
    GError *error = NULL;
    for (int downsample = 2; downsample <= 16; downsample *= 2) { /* from level 0, and from those behind the odd one */
        g_assert_true(rmil_slide_read(slide, 0, 0, downsample, 64, 48, a, &error));
        g_assert_true(rmil_slide_read(alone, 0, 0, downsample, 64, 48, b, &error));
        for (int i = 0; i < 64 * 48; i++) assert_pixel(a + 3 * i, b + 3 * i, 3);
    }
}

/* An OME-TIFF has its pyramid in SubIFDs: read as any other pyramid is. */
static void test_sub_levels(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(1024, 768, 6);
    g_autofree char *usual = make_slide(folder, "usual.tiff", picture, (SlideForm){.mpp = 0.5, .pyramid = TRUE}),
                    *path = g_build_filename(folder, "sub.ome.tiff", NULL);
    g_autoptr(RmilVipsImage) image = vips_image_new_from_memory(picture->rgb, 1024 * 768 * 3, 1024, 768, 3, VIPS_FORMAT_UCHAR), copy = NULL;
    image->Type = VIPS_INTERPRETATION_sRGB;
    g_assert_cmpint(vips_copy(image, &copy, "xres", 2000.0, "yres", 2000.0, NULL), ==, 0);
    g_assert_cmpint(vips_tiffsave(copy, path, "tile", TRUE, "tile_width", 64, "tile_height", 64, "pyramid", TRUE, "subifd", TRUE, NULL), ==,
                    0);
    g_autoptr(RmilSlide) sub = open_slide(path, 0), plain = open_slide(usual, 0);
    g_assert_cmpint(rmil_slide_info(sub)->levels, >=, rmil_slide_info(plain)->levels); /* one is smaller than a tile */
    g_assert_cmpint(rmil_slide_info(sub)->levels, >, 2);
    g_assert_null(rmil_slide_info(sub)->warnings[0]);
    uint8_t a[3 * 40 * 30], b[3 * 40 * 30];
    GError *error = NULL;
    for (int downsample = 1; downsample <= 8; downsample *= 2)
        for (int corner = 0; corner < 2; corner++) { /* the second lies in part outside */
            const double x = corner ? 1024 - 20 * downsample : 33 * downsample / 16, y = corner ? 768 - 10 * downsample : 0;
            g_assert_true(rmil_slide_read(sub, x, y, downsample, 40, 30, a, &error));
            g_assert_true(rmil_slide_read(plain, x, y, downsample, 40, 30, b, &error));
            g_assert_true(memcmp(a, b, sizeof a) == 0);
        }
}

/* Red, green and blue in pages of their own, tiled or not, are put together; channels of other names are not. */
static void test_planar(void) {
    static const struct {
        const char *channels, *warning;
        gboolean joined;
    } cases[] = {{"<Channel/><Channel/><Channel/>", "are taken as red, green and blue", TRUE},
                 {"<Channel Name=\"Red\"/><Channel Name=\"Green\"/><Channel Name=\"Blue\"/>", "are taken as red", TRUE},
                 {"<Channel Name=\"DAPI\"/><Channel Name=\"FITC\"/><Channel Name=\"TRITC\"/>", "only the first is read", FALSE},
                 {"<Channel Name=\"blue\"/><Channel Name=\"green\"/><Channel Name=\"red\"/>", "only the first", FALSE}};
    g_autofree char *folder = test_folder(), *path = g_build_filename(folder, "planar.tiff", NULL);
    g_autoptr(Picture) picture = picture_noise(200, 160, 7);
    g_autofree uint8_t *planes = g_malloc(3 * 200 * 160);
    for (int i = 0; i < 200 * 160; i++)
        for (int c = 0; c < 3; c++) planes[c * 200 * 160 + i] = picture->rgb[3 * i + c];
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        for (int tile = 0; tile < 2; tile++) {
            g_autoptr(RmilVipsImage) tall = vips_image_new_from_memory(planes, 3 * 200 * 160, 200, 480, 1, VIPS_FORMAT_UCHAR), ome = NULL;
            g_autofree char *xml = g_strdup_printf("<OME><Image><Pixels SizeC=\"3\" PhysicalSizeX=\"0.5\">%s</Pixels></Image></OME>",
                                                   cases[i].channels);
            tall->Type = VIPS_INTERPRETATION_B_W;
            g_assert_cmpint(vips_copy(tall, &ome, NULL), ==, 0);
            vips_image_set_int(ome, VIPS_META_PAGE_HEIGHT, 160);
            vips_image_set_string(ome, VIPS_META_IMAGEDESCRIPTION, xml);
            g_assert_cmpint(vips_tiffsave(ome, path, "tile", tile, "tile_width", 64, "tile_height", 64, NULL), ==, 0);
            g_autoptr(RmilSlide) slide = open_slide(path, 0);
            g_assert_nonnull(strstr(rmil_slide_info(slide)->warnings[0], cases[i].warning));
            g_assert_cmpfloat(rmil_slide_info(slide)->mpp, ==, 0.5);
            g_assert_cmpint(rmil_slide_info(slide)->height, ==, 160);
            uint8_t rgb[3 * 30 * 20];
            GError *error = NULL;
            g_assert_true(rmil_slide_read(slide, 10, 20, 1, 30, 20, rgb, &error));
            for (int y = 0; y < 20; y++)
                for (int x = 0; x < 30; x++) {
                    const uint8_t *is = rgb + 3 * (30 * y + x), *was = picture_at(picture, 10 + x, 20 + y);
                    for (int c = 0; c < 3; c++) g_assert_cmpint(is[c], ==, was[cases[i].joined ? c : 0]);
                }
        }
}

/* What cannot be opened comes with the way out; what is a part of the image is said. */
static void test_pages(void) {
    g_autofree char *folder = test_folder();
    g_autoptr(Picture) picture = picture_noise(200, 160, 7);
    g_autofree char *path = make_slide(folder, "p.tiff", picture, (SlideForm){.mpp = 0.5});
    patch_tag(path, 0, 259, 34712);
    assert_fails(path, RMIL_ERROR_FORMAT, "34712 (JPEG 2000): convert it: vips tiffsave");
    patch_tag(path, 0, 259, 50002);
    assert_fails(path, RMIL_ERROR_FORMAT, "50002: convert it: vips tiffsave");
    g_autoptr(RmilVipsImage) gray = vips_image_new_from_memory(picture->rgb, 160 * 200, 200, 160, 1, VIPS_FORMAT_UCHAR), ome = NULL,
                             pages = NULL;
    gray->Type = VIPS_INTERPRETATION_B_W;
    g_assert_cmpint(vips_copy(gray, &ome, NULL), ==, 0);
    vips_image_set_string(ome, VIPS_META_IMAGEDESCRIPTION,
                          "<OME><Image><Pixels SizeC=\"3\" PhysicalSizeX=\"0.5\"><Channel/></Pixels></Image></OME>");
    for (int tile = 0; tile < 2; tile++) {
        g_assert_cmpint(vips_tiffsave(ome, path, "tile", tile, NULL), ==, 0);
        g_autoptr(RmilSlide) slide = open_slide(path, 0);
        g_assert_cmpint(rmil_slide_info(slide)->plain, ==, !tile);
        g_assert_nonnull(strstr(rmil_slide_info(slide)->warnings[0], "p.tiff: its 3 channels are stored as separate pages"));
    }
    g_assert_cmpint(vips_copy(gray, &pages, NULL), ==, 0);
    vips_image_set_int(pages, VIPS_META_PAGE_HEIGHT, 40);
    g_assert_cmpint(vips_tiffsave(pages, path, NULL), ==, 0);
    g_autoptr(RmilSlide) slide = open_slide(path, 0);
    g_assert_cmpint(rmil_slide_info(slide)->height, ==, 40);
    g_assert_nonnull(strstr(rmil_slide_info(slide)->warnings[0], "p.tiff: has 4 pages; only the first is read"));
}

static void test_real(void) {
    g_autofree char *small = test_shared("data/slides/CMU-1-Small-Region.svs");
    if (!small) return;
    g_autoptr(RmilSlide) slide = open_slide(small, 0);
    g_assert_cmpint(rmil_slide_info(slide)->width, ==, 2220);
    g_assert_cmpint(rmil_slide_info(slide)->height, ==, 2967);
    g_assert_cmpfloat(rmil_slide_info(slide)->mpp, ==, 0.499);
    g_autofree char *boxes = test_shared("data/slides/boxes.tiff");
    assert_fails(boxes, RMIL_ERROR_RESOLUTION, "give --mpp");
    g_autoptr(RmilSlide) given = open_slide(boxes, 0.5);
    g_assert_cmpint(rmil_slide_info(given)->levels, ==, 2); /* of 4: two are smaller than a tile */
    g_autofree char *broken = test_shared("data/slides/broken/broken.svs");
    g_autofree char *unopenable = test_shared("data/slides/broken/unopenable.tiff");
    g_autofree char *unreadable = test_shared("data/slides/broken/unreadable.svs");
    assert_fails(broken, RMIL_ERROR_FORMAT, "neither a slide");
    assert_fails(unopenable, RMIL_ERROR_FORMAT, "Unsupported TIFF compression: 52479");
    g_autoptr(RmilSlide) half = open_slide(unreadable, 0);
    GError *error = NULL;
    g_assert_null(rmil_mask_new(half, NULL, &error));
    test_error(&error, RMIL_ERROR_FORMAT, "unreadable.svs: cannot be read at level-0 pixel (0, 0)");
    g_autofree char *plain = test_shared("data/ucsb_breast/ytma10_010704_benign1_ccd.tif");
    g_autoptr(RmilSlide) image = open_slide(plain, 0);
    g_assert_true(rmil_slide_info(image)->plain);
    g_assert_cmpint(rmil_slide_info(image)->width, ==, 896);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL); /* libvips warns of broken files, silently */
    g_test_add_func("/slide/open/neither", test_neither);
    g_test_add_func("/slide/open/permission", test_permission);
    g_test_add_func("/slide/open/truncated", test_truncated);
    g_test_add_func("/slide/open/names", test_names);
    g_test_add_func("/slide/open/resolution", test_resolution);
    g_test_add_func("/slide/open/tags", test_tags);
    g_test_add_func("/slide/open/big-endian", test_big_endian);
    g_test_add_func("/slide/open/resolution-argument", test_resolution_argument);
    g_test_add_func("/slide/open/bounds", test_bounds);
    g_test_add_func("/slide/open/mirax", test_mirax);
    g_test_add_func("/slide/open/unread", test_unread);
    g_test_add_func("/slide/open/levels", test_levels);
    g_test_add_func("/slide/open/pages", test_pages);
    g_test_add_func("/slide/open/sub-levels", test_sub_levels);
    g_test_add_func("/slide/open/planar", test_planar);
    g_test_add_func("/slide/open/real", test_real);
    return g_test_run();
}
