#pragma once

#include <weft/core/error.hpp>
#include <weft/pool/detail/codec.hpp>
#include <weft/pool/detail/segment.hpp>

#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint64_t
#include <cstring>      // for std::memcpy
#include <memory>       // for std::shared_ptr
#include <span>         // for std::span
#include <type_traits>  // for std::is_same_v
#include <vector>       // for std::vector

namespace weft {

template <class T>
class object_ref;

template <class T>
object_ref<T> put(const T& value);

/// A value that was put into shared memory once and can be had in any worker: as an argument it costs a few
/// bytes. Ray's ObjectRef.
///
/// get() reads it once a process. The elements of a vector of plain elements need not even be read: view()
/// is where they are. The value cannot change; it is freed when the last object_ref to it is gone.
///
/// Thread safety: distinct objects safe; shared objects safe.
template <class T>
class object_ref {
 public:
  /// What it refers to.
  using value_type = T;

  /// Refers to nothing.
  object_ref() = default;

  /// Whether it refers to a value.
  bool valid() const noexcept { return memory_ != nullptr; }

  /// The value, which lives as long as any object_ref to it does in this process, and in a worker as long as
  /// one does in the process that sent it. Throws error if !valid().
  const T& get() const {
    require_valid();
    const auto read = [this]() -> std::shared_ptr<const void> {
      parts source(*this);
      detail::payload_reader in({memory_->data(), static_cast<std::size_t>(bytes_)}, source);
      auto value = std::make_shared<T>();
      detail::decode(in, *value);
      return value;
    };
    return *static_cast<const T*>(memory_->object(read));
  }

  /// The elements of a vector of plain elements, in the shared memory itself. Throws error if !valid().
  auto view() const requires detail::is_plain_vector<T> {
    require_valid();
    using item = typename T::value_type;
    const auto* first = reinterpret_cast<const item*>(memory_->data() + sizeof(std::uint64_t));
    static_assert(alignof(item) <= sizeof(std::uint64_t));
    return std::span<const item>(first, (bytes_ - sizeof(std::uint64_t)) / sizeof(item));
  }

  /// For cereal: which value, not what is in it.
  template <class Archive>
  void save(Archive& archive) const {
    static_assert(std::is_same_v<Archive, detail::output_archive>,
                  "an object_ref can be sent to a worker process and nowhere else");
    archive(memory_ ? memory_->id() : 0, bytes_, static_cast<std::uint64_t>(attachments_.size()));
    if (memory_) archive.out().attach(memory_);
    for (const auto& part : attachments_) {
      archive(part->id());
      archive.out().attach(part);
    }
  }

  /// For cereal.
  template <class Archive>
  void load(Archive& archive) {
    static_assert(std::is_same_v<Archive, detail::input_archive>,
                  "an object_ref can be sent to a worker process and nowhere else");
    std::uint64_t id = 0;
    std::uint64_t parts_in_all = 0;
    archive(id, bytes_, parts_in_all);
    memory_ = id == 0 ? nullptr : archive.in().fetch(id);
    attachments_.clear();
    for (std::uint64_t i = 0; i < parts_in_all; ++i) {
      std::uint64_t part = 0;
      archive(part);
      attachments_.push_back(archive.in().fetch(part));
    }
  }

 private:
  friend object_ref put<T>(const T& value);

  // The shared arrays in the value.
  class parts final : public detail::segment_source {
   public:
    explicit parts(const object_ref& owner) : owner_(owner) {}
    std::shared_ptr<detail::segment> fetch(std::uint64_t id) override {
      for (const auto& part : owner_.attachments_) {
        if (part->id() == id) return part;
      }
      throw error("object_ref: the value refers to shared memory that is not here");
    }

   private:
    const object_ref& owner_;
  };

  void require_valid() const {
    if (!memory_) throw error("object_ref: it refers to nothing; put() makes one");
  }

  std::shared_ptr<detail::segment> memory_;
  std::uint64_t bytes_ = 0;
  std::vector<std::shared_ptr<detail::segment>> attachments_;
};

/// Puts a value into shared memory, from where every worker can have it. It is of a type that a call could
/// take. Throws shared_memory_full where there is no room for it.
template <class T>
object_ref<T> put(const T& value) {
  detail::payload bytes(detail::payload::memory::kept);
  detail::encode(bytes, value);
  object_ref<T> made;
  made.bytes_ = bytes.bytes().size();
  made.attachments_ = bytes.attachments();
  made.memory_ = bytes.release_shared();
  if (!made.memory_) {
    made.memory_ = detail::segment::create(bytes.bytes().size());
    std::memcpy(made.memory_->data(), bytes.bytes().data(), bytes.bytes().size());
  }
  made.memory_->seal();
  return made;
}

}  // namespace weft
