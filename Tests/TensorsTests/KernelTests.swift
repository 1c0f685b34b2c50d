import Foundation
import Tensors
import TestSupport
import Testing

/// Loops over elements: exponentials, softmax, sums.
@Suite struct KernelTests {
  @Test func `the fast exponential is right to three parts in ten million`() {
    var worst = 0.0
    for step in 0...1_753_000 {
      let x = -87.3 + Float(step) * 1e-4
      let exact = Foundation.exp(Double(x))
      worst = max(worst, abs(Double(fastExponential(x)) / exact - 1))
    }
    #expect(worst < 3e-7)
  }

  @Test func `the fast exponential holds its argument to where the result is normal`() {
    #expect(fastExponential(0) == 1)
    #expect(fastExponential(-.infinity) == fastExponential(-87.3))
    #expect(fastExponential(-87.3).isNormal)
    #expect(fastExponential(.infinity) == fastExponential(88))
    #expect(fastExponential(88).isFinite)
    #expect(fastExponential(.nan).isNaN)
  }

  @Test func `exponentials of a buffer are scaled and shifted`() {
    let x: [Float] = [-2, -0.5, 0, 0.5, 3]
    var y = [Float](repeating: 0, count: 5)
    x.withUnsafeBufferPointer { x in
      y.withUnsafeMutableBufferPointer { exponential(x, scale: 0.5, shift: -1, into: $0) }
    }
    for (x, y) in zip(x, y) { #expect(abs(y / expf(x / 2 - 1) - 1) < 1e-6) }
  }

  @Test(arguments: [Float(0.1), 1, 3], [1, 2, 10, 33])
  func `softmax is positive, sums to one and keeps the order`(temperature: Float, classes: Int) {
    let logits = normals(20 * classes, seed: classes).map { 5 * $0 }
    let p = softmax(logits, classes: classes, temperature: temperature)
    for start in stride(from: 0, to: p.count, by: classes) {
      let row = start..<start + classes
      let exact = logits[row].map { exp(Double($0) / Double(temperature)) }
      let sum = exact.reduce(0, +)
      #expect(abs(p[row].reduce(0, +) - 1) < 1e-5)
      for (own, exact) in zip(p[row], exact) { #expect(abs(Double(own) - exact / sum) < 2e-6) }
    }
  }

  @Test func `softmax does not overflow`() {
    let p = softmax([1e4, -1e4, 0, -1e4, -1e4, -1e4, 1e4, 1e4, 1e4], classes: 3)
    #expect(largestDifference(p, [1, 0, 0] + [Float](repeating: 1 / 3, count: 6)) < 1e-6)
    // Differences of one count as they do near zero.
    let near = softmax([1e4, 9999, 9998, -1e4, -9999, -9998], classes: 3)
    let expected = softmax([2, 1, 0, 0, 1, 2], classes: 3)
    #expect(largestDifference(near, expected) < 1e-6)
  }

  @Test func `the mean of arrays is the mean of each element`() {
    #expect(mean(of: [[1, 2], [3, 6]]) == [2, 4])
    #expect(mean(of: [[5, 6]]) == [5, 6])
    #expect(mean(of: []) == [])
  }

  @Test func `interpolation meets both ends`() {
    let (a, b) = (normals(50, seed: 1), normals(50, seed: 2))
    #expect(interpolate(a, b, at: 0) == a)
    #expect(interpolate(a, b, at: 1) == b)
    #expect(largestDifference(interpolate(a, b, at: 0.5), mean(of: [a, b])) < 1e-6)
  }

  @Test func `accumulation adds scaled elements`() {
    var sum: [Float] = [1, 2, 3]
    accumulate([10, 20, 30], scale: 0.5, into: &sum)
    #expect(sum == [6, 12, 18])
  }

  @Test func `a mirrored image is read from right to left in every row`() {
    let pixels: [UInt8] = [0, 1, 2, 10, 11, 12]
    var (plain, flipped) = ([Float](repeating: 0, count: 6), [Float](repeating: 0, count: 6))
    pixels.withUnsafeBufferPointer { pixels in
      plain.withUnsafeMutableBufferPointer {
        normalizeImage(pixels, width: 3, isFlipped: false, scale: 2, shift: 1, into: $0)
      }
      flipped.withUnsafeMutableBufferPointer {
        normalizeImage(pixels, width: 3, isFlipped: true, scale: 2, shift: 1, into: $0)
      }
    }
    #expect(plain == [1, 3, 5, 21, 23, 25])
    #expect(flipped == [5, 3, 1, 25, 23, 21])
  }

  @Test func `an identity matrix has ones on its diagonal alone`() {
    let identity = Matrix.identity(5)
    for i in 0..<5 { for j in 0..<5 { #expect(identity[i, j] == (i == j ? 1 : 0)) } }
  }

  @Test(arguments: [1, 7, 2048, 5000])
  func `a weighted sum of blocks is what it says`(count: Int) {
    let blocks = normals(4 * count, seed: 1)
    let terms: [(block: Int, weight: Float)] = [(2, 0.5), (0, -2), (3, 0.25)]
    for used in [terms, Array(terms.prefix(1))] {
      var out = [Float](repeating: .nan, count: count)
      blocks.withUnsafeBufferPointer { blocks in
        out.withUnsafeMutableBufferPointer { weightedSum(used, of: blocks, into: $0) }
      }
      for i in 0..<count {
        let sum = used.reduce(0) { $0 + $1.weight * blocks[$1.block * count + i] }
        #expect(abs(out[i] - sum) < 1e-6)
      }
    }
  }

  @Test func `what is negative is rectified, and its gradient masked`() {
    let x: [Float] = [-1, -0.0, 0, 0x1p-149, 2, -.infinity, .infinity]
    var y = [Float](repeating: .nan, count: x.count)
    x.withUnsafeBufferPointer { x in y.withUnsafeMutableBufferPointer { rectify(x, into: $0) } }
    #expect(y == [0, 0, 0, 0x1p-149, 2, 0, .infinity])
    var g: [Float] = [1, 2, 3, 4, 5, 6, 7]
    y.withUnsafeBufferPointer { y in
      g.withUnsafeMutableBufferPointer { maskInactive($0, where: y) }
    }
    #expect(g == [0, 0, 0, 4, 5, 0, 7])
  }

  @Test func `sums of values and of rows are what they say`() {
    let (a, b) = (normals(12, seed: 1), normals(12, seed: 2))
    var y = [Float](repeating: .nan, count: 12)
    var sums = [Float](repeating: .nan, count: 4)
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        y.withUnsafeMutableBufferPointer { add(a, b, into: $0) }
      }
      sums.withUnsafeMutableBufferPointer { sumRows(a, rows: 3, into: $0) }
    }
    for i in 0..<12 { #expect(y[i] == a[i] + b[i]) }
    for j in 0..<4 { #expect(sums[j] == a[j] + a[4 + j] + a[8 + j]) }
  }

  @Test func `an array is scaled, or the first part of it`() {
    var out = [Float](repeating: .nan, count: 3)
    scale([1, -2, 4], by: 0.5, into: &out)
    #expect(out == [0.5, -1, 2])
    scale([3, 5, 7, .nan], count: 3, by: 2, into: &out)
    #expect(out == [6, 10, 14])
    accumulate([1, 1, 1, .nan], count: 3, scale: -3, into: &out)
    #expect(out == [3, 7, 11])
  }

  @Test func `columns are reordered in every row`() {
    let x = (0..<12).map(Float.init)
    var out = [Float](repeating: .nan, count: 12)
    x.withUnsafeBufferPointer { x in
      out.withUnsafeMutableBufferPointer { reorderColumns(of: x, by: [2, 0, 3, 1], into: $0) }
    }
    #expect(out == [2, 0, 3, 1, 6, 4, 7, 5, 10, 8, 11, 9])
  }
}
