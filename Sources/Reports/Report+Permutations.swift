import Experiments
import Merging
import Networks
import Tensors

extension Report {
  /// The picture of one learned permutation.
  func permutationSection() throws -> HTMLPage.Section? {
    let chain = results.row(method: "permavg")?.predictor.chain
    guard experiment.members > 1, !experiment.architecture.symmetry.groups.isEmpty, let chain,
      let soft = try folder.readSoftPermutation(of: chain, member: 1, group: 0),
      let hard = try folder.readAlignment(of: chain, for: experiment)?[1][0],
      hard.count == soft.rows
    else { return nil }

    // Columns in the order of the permutation: what was matched comes to lie on the diagonal.
    var sorted = soft
    for row in 0..<soft.rows {
      for column in 0..<soft.columns { sorted[row, column] = soft[row, hard.indices[column]] }
    }
    let matched = (0..<soft.rows).map { Double(soft[$0, hard.indices[$0]]) }
    let mean = matched.reduce(0, +) / Double(matched.count)
    func figure(_ title: String, _ matrix: Matrix) -> String {
      "<figure><figcaption>\(title)</figcaption>\(MatrixPicture(matrix).image(alternative: title))</figure>"
    }
    let pictures = [
      figure("Learned matrix P", soft), figure("The permutation nearest to it", hard.matrix),
      figure("P with matched units on the diagonal", sorted),
    ]
    return HTMLPage.Section(
      heading: "A learned permutation",
      caption: "How hidden units of member 1's first layer (columns) were mixed into the places of"
        + " member 0's (rows). A matched pair has the entry \(decimal(mean, 2)) on average; 1 would"
        + " be a permutation, 1/\(soft.rows) no knowledge at all. Darkness is the root of an entry;"
        + " \(hard.fixedPoints) of \(hard.count) units keep their place.",
      body: "<div class=\"row\">\(pictures.joined())</div>")
  }
}
