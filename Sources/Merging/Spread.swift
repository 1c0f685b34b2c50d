import Networks
import Tensors

/// How far networks lie from their mean: √(1/M Σ_m ‖θ_m − θ̄‖²), in double precision.
///
/// Lining hidden units up brings networks together without changing what they compute; this tells how much.
public func distanceFromMean(of networks: [Network]) -> Double {
  guard let count = networks.first?.parameters.count else { return 0 }
  let scale = 1 / Double(networks.count)
  var mean = [Double](repeating: 0, count: count)
  for network in networks {
    for i in 0..<count { mean[i] += Double(network.parameters[i]) * scale }
  }
  var sum = 0.0
  for network in networks {
    for i in 0..<count {
      let difference = Double(network.parameters[i]) - mean[i]
      sum += difference * difference
    }
  }
  return (sum * scale).squareRoot()
}
