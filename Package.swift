// swift-tools-version: 6.2
import PackageDescription

/// Tuned to the machine that builds it; `MARCH=x86-64-v3 swift build` makes a binary for older hosts.
let march = Context.environment["MARCH"] ?? "native"

/// Warnings are errors where we test, not where others build with a newer compiler.
let strict: [SwiftSetting] =
  Context.environment["WARNINGS_AS_ERRORS"] == nil ? [] : [.treatAllWarnings(as: .error)]

/// Numeric targets optimise in debug builds too, where a training step is else a hundred times slower.
///
/// Swift's code generation follows the C compiler's `-march`, and `-fno-math-errno` lets
/// square roots vectorise.
let numeric: [SwiftSetting] =
  strict + [.unsafeFlags(["-O", "-Xcc", "-march=\(march)", "-Xcc", "-fno-math-errno"])]

let argumentParser: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let realModule: Target.Dependency = .product(name: "RealModule", package: "swift-numerics")

let package = Package(
  name: "PermAVG",
  products: [
    .executable(name: "permavg", targets: ["permavg"]),
    .library(name: "MPI", targets: ["MPI"]),
    .library(name: "Merging", targets: ["Networks", "Datasets", "Training", "Merging"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
  ],
  targets: [
    // MARK: C libraries
    .systemLibrary(
      name: "CMPI", pkgConfig: Context.environment["MPI_PKG_CONFIG"] ?? "mpi-c",
      providers: [.apt(["libopenmpi-dev"])]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    // MARK: Libraries, each depending only on those above it
    .target(name: "MPI", dependencies: ["CMPI"], swiftSettings: strict),
    .target(name: "Tensors", dependencies: ["COpenBLAS", realModule], swiftSettings: numeric),
    .target(name: "Networks", dependencies: ["Tensors", realModule], swiftSettings: numeric),
    .target(
      name: "Datasets", dependencies: ["Tensors", "Networks", "CZlib"], swiftSettings: numeric),
    .target(
      name: "Training", dependencies: ["Tensors", "Networks", "Datasets"], swiftSettings: numeric),
    .target(
      name: "Merging", dependencies: ["Tensors", "Networks", realModule], swiftSettings: numeric),
    .target(
      name: "Experiments",
      dependencies: [
        "MPI", "Tensors", "Networks", "Datasets", "Training", "Merging", "CZlib",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: strict),

    .target(
      name: "Benchmarks",
      dependencies: [
        "MPI", "Tensors", "Networks", "Datasets", "Training", "Merging", "Experiments",
      ], swiftSettings: strict),

    .target(
      name: "Reports",
      dependencies: ["MPI", "Tensors", "Networks", "Training", "Merging", "Experiments"],
      swiftSettings: strict),

    // MARK: The program
    .executableTarget(
      name: "permavg",
      dependencies: [
        "MPI", "Networks", "Datasets", "Training", "Merging", "Experiments", "Benchmarks",
        "Reports", argumentParser,
      ], swiftSettings: strict),

    // MARK: Tests
    .target(
      name: "TestSupport", dependencies: ["Tensors", "Networks"], path: "Tests/TestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "MPITests", dependencies: ["MPI", "CMPI", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "TensorsTests", dependencies: ["Tensors", "TestSupport"], swiftSettings: numeric),
    .testTarget(
      name: "NetworksTests", dependencies: ["Tensors", "Networks", "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: numeric),
    .testTarget(
      name: "DatasetsTests",
      dependencies: ["Tensors", "Datasets", "Networks", "CZlib", "TestSupport"],
      swiftSettings: numeric),
    .testTarget(
      name: "TrainingTests",
      dependencies: ["Tensors", "Training", "Datasets", "Networks", "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: numeric),
    .testTarget(
      name: "MergingTests", dependencies: ["Tensors", "Networks", "Merging", "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: numeric),
    .testTarget(
      name: "ExperimentsTests",
      dependencies: [
        "Tensors", "Networks", "Datasets", "Training", "Merging", "Experiments", "Benchmarks",
        "Reports", "permavg", "TestSupport",
      ], swiftSettings: strict),
  ]
)
