#pragma once

// Floor 5: files become batches.

#include <weft/data/array_rows.hpp>
#include <weft/data/cached.hpp>
#include <weft/data/collate.hpp>
#include <weft/data/color_jitter.hpp>
#include <weft/data/csv.hpp>
#include <weft/data/gzip.hpp>
#include <weft/data/idx.hpp>
#include <weft/data/image_folder.hpp>
#include <weft/data/image_options.hpp>
#include <weft/data/image_set.hpp>
#include <weft/data/image_shards.hpp>
#include <weft/data/image_target.hpp>
#include <weft/data/joined.hpp>
#include <weft/data/jpeg.hpp>
#include <weft/data/line_files.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/loader_options.hpp>
#include <weft/data/mapped.hpp>
#include <weft/data/padded.hpp>
#include <weft/data/png.hpp>
#include <weft/data/records.hpp>
#include <weft/data/sample_cache.hpp>
#include <weft/data/sampler.hpp>
#include <weft/data/stored_array.hpp>
#include <weft/data/tar.hpp>
#include <weft/data/tfrecord_shards.hpp>
