// Checked mode: each seeded mistake is reported by kind, kernel, block and buffer; right kernels are not.
#include <catch2/catch.hpp>

#include <cmath>
#include <string>
#include <vector>

#include "shared/device/cpu_runtime.hpp"
#include "tests/tile/fault_kernels.cuh"

namespace {

using namespace ladder;
using namespace ladder::on_cpu;
using tile::Buffer;
using tile::Checks;
using tile::Contents;
using tile::FaultKind;

/// x is given, y is written; both aligned, because one kernel lies about that.
struct Arrays {
  explicit Arrays(std::size_t x_count = 16, std::size_t y_count = 16) : x(x_count, 2.0F), y(y_count, 0.0F) {}
  std::vector<float> x, y;
  Checks checks;
  Buffer x_known{"x", x.data(), x.size()}, y_known{"y", y.data(), y.size(), Contents::unwritten};
};

/// `body` throws a Fault of this kind whose message has all of `parts`.
template <class Body>
void expect_fault(FaultKind kind, const std::vector<std::string>& parts, Body body) {
  try {
    body();
  } catch (const tile::Fault& fault) {
    CHECK(fault.kind == kind);
    const std::string message = fault.what();
    INFO(message);
    CHECK(message.find(std::string(tile::name_of(kind))) != std::string::npos);
    for (const std::string& part : parts) CHECK(message.find(part) != std::string::npos);
    return;
  }
  FAIL("nothing was reported; expected " << tile::name_of(kind));
}

}  // namespace

TEST_CASE("out of bounds through pointers: read past the end") {
  Arrays arrays(12, 16);
  expect_fault(
      FaultKind::out_of_bounds,
      {"kernel add_one_unmasked", "block (1, 0, 0)", "load of tile 8", "element (4)", "'x'", "element 12"},
      [&] {
        launch(add_one_unmasked, {"add_one_unmasked", 2}, arrays.x.data(), arrays.y.data());
      });
}

TEST_CASE("out of bounds through pointers: write past the end") {
  Arrays arrays(16, 12);
  expect_fault(FaultKind::out_of_bounds, {"block (1, 0, 0)", "store of tile 8", "'y'", "element 12"}, [&] {
    launch(add_one_unmasked, {"add_one_unmasked", 2}, arrays.x.data(), arrays.y.data());
  });
}

TEST_CASE("out of bounds before the beginning, and of memory that is in no buffer") {
  Arrays arrays;
  expect_fault(FaultKind::out_of_bounds, {"add_one_unmasked"}, [&] {
    launch(add_one_unmasked, {"add_one_unmasked", 1}, arrays.x.data() - 4, arrays.y.data());
  });
  std::vector<float> unknown(8);
  expect_fault(FaultKind::out_of_bounds, {"add_one_unmasked"}, [&] {
    launch(add_one_unmasked, {"add_one_unmasked", 1}, unknown.data(), arrays.y.data());
  });
}

TEST_CASE("out of bounds through a view that claims too much: names the tile's index") {
  Arrays arrays(8, 8);
  expect_fault(FaultKind::out_of_bounds,
               {"block (1, 0, 0)", "load of tile 1x4 at index (2, 0)", "element (0, 0)", "'x'", "element 8"},
               [&] {
                 launch(one_row_too_many, {"one_row_too_many", 2}, arrays.x.data(), arrays.y.data(), 2);
               });
}

TEST_CASE("a view that runs from one buffer into its neighbour is out of bounds") {
  std::vector<float> memory(16, 1.0F), y(8);
  const Checks checks;
  const Buffer first("first", memory.data(), 8), second("second", memory.data() + 8, 8),
      out("y", y.data(), 8, Contents::unwritten);
  expect_fault(FaultKind::out_of_bounds, {"'first'", "element 8"}, [&] {
    launch(one_row_too_many, {"one_row_too_many", 2}, memory.data(), y.data(), 2);
  });
}

TEST_CASE("unmasked tail: load and store") {
  Arrays arrays(12, 12);
  expect_fault(FaultKind::unmasked_tail,
               {"unmasked_tail_load", "block (1, 0, 0)", "load of tile 8 at index (1)", "'x'", "12 elements",
                "load_masked"},
               [&] {
                 launch(unmasked_tail_load, {"unmasked_tail_load", 2}, arrays.x.data(), arrays.y.data(), 12);
               });
  expect_fault(
      FaultKind::unmasked_tail,
      {"unmasked_tail_store", "block (1, 0, 0)", "store of tile 8 at index (1)", "'y'", "store_masked"}, [&] {
        launch(unmasked_tail_store, {"unmasked_tail_store", 2}, arrays.x.data(), arrays.y.data(), 12);
      });
}

TEST_CASE("unmasked tail without checks: NaN reaches the result") {
  std::vector<float> x(16, 2.0F), y(1, 0.0F);
  launch(unmasked_tail_sum, {"unmasked_tail_sum", 1}, x.data(), y.data(), 5);
  CHECK(std::isnan(y[0]));
  launch(unmasked_tail_sum, {"unmasked_tail_sum", 1}, x.data(), y.data(), 8);
  CHECK(y[0] == 16.0F);
}

TEST_CASE("race: two blocks write one element") {
  Arrays arrays;
  expect_fault(FaultKind::race, {"all_write_one", "block (1, 0, 0)", "'y'", "block (0, 0, 0) writes"}, [&] {
    launch(all_write_one, {"all_write_one", 2}, arrays.x.data(), arrays.y.data());
  });
}

TEST_CASE("race: a block reads what another writes, whichever comes first") {
  Arrays arrays(17, 1);
  expect_fault(FaultKind::race, {"shift_in_place", "'x'", "element 8", "block (0, 0, 0) reads"}, [&] {
    launch(shift_in_place, {"shift_in_place", 2}, arrays.x.data());
  });
}

TEST_CASE("race: the last of several readers writes, or the first before the others read") {
  Arrays arrays;
  const auto run = [&](int write) {
    launch(read_then_write, {"read_then_write", 4}, arrays.x.data(), arrays.y.data(), write);
  };
  expect_fault(FaultKind::race, {"'x'", "element 0", "block (0, 0, 0) reads"}, [&] { run(3); });
  expect_fault(FaultKind::race, {"'x'", "element 0", "block (0, 0, 0) writes"}, [&] { run(0); });
  launch(read_then_write, {"read_then_write", 1}, arrays.x.data(), arrays.y.data(), 0);  // its own
}

TEST_CASE("an access wider than the buffer's elements is checked on all that it covers") {
  std::vector<float> x(5, 1.0F), y(6, 0.0F);
  const auto pairs_of = [](std::vector<float>& values) { return reinterpret_cast<double*>(values.data()); };
  const auto run = [&](unsigned blocks) {
    launch(read_pairs, {"read_pairs", blocks}, pairs_of(x), pairs_of(y));
  };
  const auto expect_unwritten = [&](const char* element) {
    expect_fault(FaultKind::unwritten_read, {element, "'y'"}, [&] {
      launch(read_pairs, {"read_pairs", 1}, pairs_of(y), pairs_of(x));
    });
  };
  {
    const Checks checks;
    const Buffer in("x", x.data(), x.size()), out("y", y.data(), y.size());
    run(2);
    expect_fault(FaultKind::out_of_bounds, {"block (2, 0, 0)", "element 4 of buffer 'x', which has 5"},
                 [&] { run(3); });
  }
  const Checks checks;
  const Buffer in("x", x.data(), x.size()), out("y", y.data(), y.size(), Contents::unwritten);
  expect_unwritten("element 0");
  tile::mark_written(y.data(), sizeof(float));
  expect_unwritten("element 0");  // named by where the access begins
  run(1);                         // writes both
  launch(read_pairs, {"read_pairs", 1}, pairs_of(y), pairs_of(x));
}

TEST_CASE("no race between launches, nor within a block") {
  Arrays arrays(9, 8);
  launch(shift_in_place, {"shift_in_place", 1}, arrays.x.data());
  launch(all_write_one, {"all_write_one", 1}, arrays.x.data(), arrays.y.data());
  launch(all_write_one, {"all_write_one", 1}, arrays.x.data(), arrays.y.data());
}

TEST_CASE("read of memory that nothing wrote; the host can say that it did") {
  Arrays arrays(8, 8);
  const auto run = [&] {
    launch(accumulate_onto_nothing, {"accumulate_onto_nothing", 1}, arrays.x.data(), arrays.y.data());
  };
  expect_fault(FaultKind::unwritten_read, {"accumulate_onto_nothing", "element 0", "'y'"}, run);
  tile::mark_written(arrays.y.data(), 4 * sizeof(float));
  expect_fault(FaultKind::unwritten_read, {"element 4", "'y'"}, run);
  tile::mark_written(arrays.y.data(), 8 * sizeof(float));
  run();
  CHECK(arrays.y[7] == 2.0F);
}

TEST_CASE("the memory of a Runtime is known by itself, to the byte") {
  const Checks checks;
  Runtime runtime({.threads = 1, .graphs = false});
  auto* x = static_cast<float*>(runtime.allocate(12 * sizeof(float)));
  auto* y = static_cast<float*>(runtime.allocate(16 * sizeof(float)));
  launch(add_one_masked, {"add_one_masked", 2}, x, y, 12);
  CHECK(y[11] == 1.0F);  // allocations are zeroed: reading them is fine
  expect_fault(FaultKind::out_of_bounds, {"block (1, 0, 0)", "element 12 of buffer 'allocation of 48 bytes'"},
               [&] {
                 launch(add_one_unmasked, {"add_one_unmasked", 2}, x, y);
               });
}

TEST_CASE("workspace is as long as what was asked for, and unwritten each time") {
  const Checks checks;
  Runtime runtime({.threads = 1, .graphs = false});
  auto* x = static_cast<float*>(runtime.allocate(16 * sizeof(float)));
  const auto work = [&](std::size_t count) {
    return static_cast<float*>(runtime.stream().workspace(count * sizeof(float)));
  };
  const auto write_then_read = [&](float* between) {
    launch(add_one_masked, {"add_one_masked", 2}, x, between, 16);
    launch(add_one_masked, {"add_one_masked", 2}, between, x, 16);
  };
  write_then_read(work(16));
  CHECK(x[15] == 2.0F);
  float* again = work(16);
  expect_fault(FaultKind::unwritten_read, {"element 0 of buffer 'workspace'"}, [&] {
    launch(add_one_masked, {"add_one_masked", 2}, again, x, 16);
  });
  expect_fault(FaultKind::out_of_bounds, {"element 12 of buffer 'workspace', which has 12"},
               [&] { write_then_read(work(12)); });
  runtime.zero(again, 12 * sizeof(float));
  launch(add_one_masked, {"add_one_masked", 2}, again, x, 12);
  CHECK(x[11] == 1.0F);
}

TEST_CASE(
    "a Buffer inside an allocation is judged by its own length; what has no name there is out of bounds") {
  const Checks checks;
  Runtime runtime({.threads = 1, .graphs = false});
  auto* arena = static_cast<float*>(runtime.allocate(64 * sizeof(float)));
  {
    const Buffer x("x", arena, 12), y("y", arena + 16, 16, Contents::unwritten);
    launch(add_one_masked, {"add_one_masked", 2}, arena, arena + 16, 12);
    expect_fault(FaultKind::out_of_bounds, {"element 12 of buffer 'x'"}, [&] {
      launch(add_one_unmasked, {"add_one_unmasked", 2}, arena, arena + 16);
    });
    expect_fault(FaultKind::unwritten_read, {"element 12 of buffer 'y'"}, [&] {
      launch(add_one_masked, {"add_one_masked", 1}, arena + 28, arena, 4);
    });
    expect_fault(FaultKind::out_of_bounds, {"'y'"}, [&] {
      launch(add_one_unmasked, {"add_one_unmasked", 1}, arena, arena + 40);
    });
    CHECK_THROWS_AS(Buffer("z", arena + 60, 5), InputError);
    CHECK_THROWS_AS(Buffer("z", arena + 8, 6), InputError);
  }
  launch(add_one_unmasked, {"add_one_unmasked", 1}, arena, arena + 40);  // one buffer again
}

TEST_CASE("memory that a Runtime gave back is no longer known") {
  const Checks checks;
  std::vector<float> y(8);
  const Buffer out("y", y.data(), y.size());
  const float* gone = nullptr;
  {
    Runtime runtime({.threads = 1, .graphs = false});
    gone = static_cast<const float*>(runtime.allocate(8 * sizeof(float)));
    launch(add_one_masked, {"add_one_masked", 1}, gone, y.data(), 8);
  }
  expect_fault(FaultKind::out_of_bounds, {"add_one_masked"}, [&] {
    launch(add_one_masked, {"add_one_masked", 1}, gone, y.data(), 8);
  });
}

TEST_CASE("false promises are reported with and without checks") {
  alignas(16) float x[16] = {}, y[16] = {};
  const auto align = [&] { launch(false_alignment, {"false_alignment", 1}, x, y); };
  const auto divide = [&] { launch(false_divisibility, {"false_divisibility", 1}, x, y, 7); };
  expect_fault(FaultKind::false_alignment, {"kernel false_alignment", "assume_aligned<16>", "4 bytes"},
               align);
  expect_fault(FaultKind::false_divisibility, {"kernel false_divisibility", "assume_divisible<8> of 7"},
               divide);
  launch(false_divisibility, {"false_divisibility", 1}, x, y, 8);
}

TEST_CASE("a right kernel passes, and checked mode ends with its object") {
  {
    Arrays arrays(12, 12);
    CHECK(tile::checks_on());
    launch(add_one_masked, {"add_one_masked", 2}, arrays.x.data(), arrays.y.data(), 12);
    CHECK(arrays.y == std::vector<float>(12, 3.0F));
  }
  CHECK(!tile::checks_on());
}

TEST_CASE("an error in a block reaches the caller whatever the threads") {
  alignas(16) float x[64] = {}, y[64] = {};
  const int before = tile::options().threads;
  for (const int threads : {1, 4}) {
    tile::options().threads = threads;
    expect_fault(FaultKind::false_divisibility, {"block (0, 0, 0)"}, [&] {
      launch(false_divisibility, {"false_divisibility", 16}, x, y, 7);
    });
  }
  tile::options().threads = before;
}

TEST_CASE("launch: no blocks is no launch, too many are refused") {
  float x[8] = {}, y[8] = {};
  launch(false_divisibility, {"false_divisibility", 0}, x, y, 7);
  CHECK_THROWS_AS(launch(false_divisibility, {"false_divisibility", {1, 70000}}, x, y, 8), InputError);
}
