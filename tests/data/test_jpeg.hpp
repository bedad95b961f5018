#pragma once

#include <cstdio>  // for std::FILE, which jpeglib.h needs

#include <jpeglib.h>  // for jpeg_compress_struct

#include <cstdint>  // for std::uint8_t
#include <cstdlib>  // for std::free
#include <functional>
#include <vector>  // for std::vector

namespace weft::test {

/// How many pixels share one value of colour.
struct subsampling {
  int across = 2;
  int down = 2;
};

/// A JPEG whose pixels are given by a function of row, column and channel; one channel is grey.
inline std::vector<std::uint8_t> jpeg(int rows, int cols, const std::function<int(int, int, int)>& pixel,
                                      int channels = 3, int quality = 95, subsampling chroma = {}) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &out, &size);
  jpeg.image_height = static_cast<JDIMENSION>(rows);
  jpeg.image_width = static_cast<JDIMENSION>(cols);
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg.comp_info[0].h_samp_factor = channels == 1 ? 1 : chroma.across;
  jpeg.comp_info[0].v_samp_factor = channels == 1 ? 1 : chroma.down;
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<std::uint8_t> line(static_cast<std::size_t>(cols * channels));
  for (int row = 0; row < rows; ++row) {
    for (int i = 0; i < cols * channels; ++i) {
      line[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(pixel(row, i / channels, i % channels));
    }
    JSAMPROW lines[] = {line.data()};
    jpeg_write_scanlines(&jpeg, lines, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::vector<std::uint8_t> content(out, out + size);
  std::free(out);  // NOLINT: libjpeg allocated it
  return content;
}

/// What libjpeg makes of it on its own, [rows, cols, 3].
inline std::vector<std::uint8_t> decoded(const std::vector<std::uint8_t>& content) {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, content.data(), static_cast<unsigned long>(content.size()));
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  std::vector<std::uint8_t> pixels(std::size_t{3} * jpeg.output_width * jpeg.output_height);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW lines[] = {pixels.data() + std::size_t{3} * jpeg.output_width * jpeg.output_scanline};
    jpeg_read_scanlines(&jpeg, lines, 1);
  }
  jpeg_destroy_decompress(&jpeg);
  return pixels;
}

}  // namespace weft::test
