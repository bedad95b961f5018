// What every reader of files has to bear: files that others own, and files with nothing in them.

#include <fcntl.h>  // for ::open
#include <gtest/gtest.h>
#include <sys/fsuid.h>  // for ::setfsuid
#include <unistd.h>     // for ::close
#include <weft/compute/npy.hpp>
#include <weft/compute/safetensors.hpp>
#include <weft/core/error.hpp>
#include <weft/data/csv.hpp>
#include <weft/data/gzip.hpp>
#include <weft/data/idx.hpp>
#include <weft/data/image_folder.hpp>
#include <weft/data/line_files.hpp>
#include <weft/data/loader.hpp>
#include <weft/data/stored_array.hpp>
#include <weft/data/tar.hpp>
#include <weft/data/tfrecord_shards.hpp>

#include <data/test_files.hpp>
#include <data/test_jpeg.hpp>

#include <filesystem>  // for std::filesystem::create_directory
#include <functional>  // for std::function
#include <map>         // for std::map

namespace weft {
namespace faults_test {

namespace fs = std::filesystem;

using reader = std::function<void(const std::string& path)>;

const std::map<std::string, reader>& readers() {
  static const std::map<std::string, reader> all = {
      {"gzip_reader", [](const std::string& path) { gzip_reader opened(path); }},
      {"read_idx", [](const std::string& path) { read_idx(path); }},
      {"read_csv", [](const std::string& path) { read_csv(path); }},
      {"tar_reader", [](const std::string& path) { tar_reader opened(path); }},
      {"tar_shards", [](const std::string& path) { tar_shards opened({path}); }},
      {"npy_file", [](const std::string& path) { npy_file opened(path); }},
      {"safetensors_file", [](const std::string& path) { safetensors_file opened(path); }},
      {"stored_array::npy", [](const std::string& path) { stored_array::npy(path); }},
      {"stored_array::npz", [](const std::string& path) { stored_array::npz(path, "x"); }},
      {"stored_array::safetensors", [](const std::string& path) { stored_array::safetensors(path, "x"); }},
      {"stored_array::raw", [](const std::string& path) { stored_array::raw(path, dtype::uint8, {}); }},
      {"line_files", [](const std::string& path) { line_files opened({path}); }},
      {"tfrecord_shards", [](const std::string& path) { tfrecord_shards opened({path}); }}};
  return all;
}

/// Root may read every file; for the file system this thread is someone else as long as this lives.
class someone_else {
 public:
  someone_else() : before_(static_cast<uid_t>(::setfsuid(nobody))) {}
  someone_else(const someone_else&) = delete;
  someone_else& operator=(const someone_else&) = delete;
  ~someone_else() { ::setfsuid(before_); }

 private:
  static constexpr uid_t nobody = 65534;
  uid_t before_;
};

void expect_denied(const std::string& what, const std::string& path, const reader& read) {
  SCOPED_TRACE(what);
  test::expect_error<io_error>(
      [&] {
        const someone_else now;
        read(path);
      },
      [&](const io_error& failure) {
        EXPECT_EQ(failure.code(), std::errc::permission_denied) << failure.what();
        EXPECT_EQ(failure.path(), path);
      });
}

TEST(FaultsTest, AFileThatMayNotBeRead) {
  const test::scratch_folder folder;
  const std::string path = folder.write("secret", test::noise(100));
  fs::permissions(path, fs::perms::none);
  for (const auto& [name, read] : readers()) expect_denied(name, path, read);
}

TEST(FaultsTest, AnImageAndAClassThatMayNotBeRead) {
  const test::scratch_folder folder;
  fs::create_directory(folder.path("only"));
  const auto grey = [](int, int, int) { return 128; };
  const std::string image = folder.write("only/a.jpg", test::jpeg(20, 30, grey));
  folder.write("only/b.jpg", test::jpeg(20, 30, grey));
  const image_folder source(folder.path("."), {.rows = 8, .cols = 8});
  fs::permissions(image, fs::perms::none);
  expect_denied("load", source.name(0), [&](const std::string&) {
    image_batch batch;
    source.prepare(batch, 1);
    source.load({.index = 0}, batch);
  });
  fs::permissions(folder.path("only"), fs::perms::none);
  const someone_else now;
  EXPECT_THROW(image_folder(folder.path(".")), io_error);
}

TEST(FaultsTest, AFileWithNothingInIt) {
  const test::scratch_folder folder;
  const std::string path = folder.write("empty", {});
  for (const auto& [name, read] : readers()) {
    SCOPED_TRACE(name);
    if (name == "gzip_reader" || name == "stored_array::raw" || name == "line_files" ||
        name == "tfrecord_shards") {
      EXPECT_NO_THROW(read(path)) << "nothing is a whole file of this kind";
    } else {
      EXPECT_THROW(read(path), error);
    }
  }
}

TEST(FaultsTest, AFolderOfOneClass) {
  const test::scratch_folder folder;
  fs::create_directory(folder.path("only"));
  folder.write("only/a.jpg", test::jpeg(20, 30, [](int, int, int) { return 128; }));
  thread_pool pool(2);
  loader all(pool, image_folder(folder.path("."), {.rows = 8, .cols = 8}), {.batch_size = 4});
  const auto batch = all.next_wait();
  ASSERT_EQ(batch->size(), 1);
  EXPECT_EQ((**batch).labels(0), 0);
  EXPECT_FALSE(all.next_wait());
}

TEST(FaultsTest, AHundredThousandFiles) {
  const test::scratch_folder folder("/dev/shm");  // a disk would take most of the time
  constexpr int classes = 10;
  constexpr int files = 100'000;
  const test::bytes image = test::jpeg(8, 8, [](int, int, int) { return 128; });
  for (int i = 0; i < classes; ++i) fs::create_directory(folder.path(std::to_string(i)));
  for (int i = 0; i < files; ++i) {
    const std::string name = std::to_string(i % classes) + "/" + std::to_string(files + i) + ".jpg";
    if (i < 40) {
      folder.write(name, image);
    } else {  // it will not be read
      ::close(::open(folder.path(name).c_str(), O_CREAT | O_WRONLY, 0600));
    }
  }
  const image_folder source(folder.path("."), {.rows = 8, .cols = 8});
  ASSERT_EQ(source.size(), files);
  EXPECT_EQ(source.classes().size(), 10U);
  EXPECT_EQ(source.label(files - 1), 9);
  thread_pool pool(2);
  loader all(pool, source, {.batch_size = 4, .prefetch = 1});
  const auto batch = all.next_wait();
  EXPECT_EQ(batch->indices(), (std::vector<std::int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(all.batches_per_epoch(), files / 4);
}

}  // namespace faults_test
}  // namespace weft
