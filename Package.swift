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
    .target(name: "Networks", dependencies: ["COpenBLAS", realModule], swiftSettings: numeric),
    .target(name: "Datasets", dependencies: ["Networks", "CZlib"], swiftSettings: numeric),
    .target(name: "Training", dependencies: ["Networks", "Datasets"], swiftSettings: numeric),
    .target(name: "Merging", dependencies: ["Networks", realModule], swiftSettings: numeric),
    .target(
      name: "Experiments",
      dependencies: ["MPI", "Networks", "Datasets", "Training", "Merging", "CZlib"],
      swiftSettings: strict),

    // MARK: The program
    .executableTarget(
      name: "permavg",
      dependencies: [
        "MPI", "Networks", "Datasets", "Training", "Merging", "Experiments", argumentParser,
      ], swiftSettings: strict),

    // MARK: Tests
    .target(
      name: "TestSupport", dependencies: ["Networks"], path: "Tests/TestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "MPITests", dependencies: ["MPI", "CMPI", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "NetworksTests", dependencies: ["Networks", "TestSupport"], exclude: ["Fixtures"],
      swiftSettings: numeric),
    .testTarget(
      name: "DatasetsTests", dependencies: ["Datasets", "Networks", "CZlib", "TestSupport"],
      swiftSettings: numeric),
    .testTarget(
      name: "TrainingTests", dependencies: ["Training", "Datasets", "Networks", "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: numeric),
    .testTarget(
      name: "MergingTests", dependencies: ["Merging", "Networks", "TestSupport"],
      exclude: ["Fixtures"], swiftSettings: numeric),
    .testTarget(
      name: "ExperimentsTests", dependencies: ["Experiments", "permavg", "TestSupport"],
      swiftSettings: strict),
  ]
)
