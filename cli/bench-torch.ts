import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Graph } from '../encoder/graph.js';
import { rounded } from './bench-environment.js';
import { notice } from './output.js';

/** Debian's own Python finds Debian's python3-torch, others may not. */
const PYTHONS = ['/usr/bin/python3', 'python3'];

/** Layers of kinds our networks have, weights drawn: only speed is asked for. */
const SCRIPT = `
import json, sys, time
import torch
import torch.nn.functional as F
spec = json.loads(sys.argv[1])
torch.set_num_threads(spec["threads"])
torch.manual_seed(1)
kernels = {l["name"]: torch.randn(*l["kernel"]) * 0.05 for l in spec["layers"] if "kernel" in l}
def same(x, size, stride):
    total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(x.shape[2:], size, stride)]
    (t, b), (l, r) = [(p // 2, p - p // 2) for p in total]
    return F.pad(x, (l, r, t, b))
def run(x):
    values = {spec["input"]: x}
    for l in spec["layers"]:
        i = [values[n] for n in l["inputs"]]
        kind = l["kind"]
        if kind == "conv2d": y = F.conv2d(same(i[0], l["kernel"][2:], l["strides"]), kernels[l["name"]], stride=l["strides"])
        elif kind == "dense": y = i[0] @ kernels[l["name"]]
        elif kind == "add": y = i[0] + i[1]
        elif kind == "reshape": y = i[0].flatten(1)
        elif kind == "l2Normalize": y = F.normalize(i[0])
        else: raise SystemExit("unknown layer " + kind)
        values[l["name"]] = F.relu(y) if l.get("activation") == "relu" else y
    return y
x = torch.randn(spec["batch"], 1, spec["size"], spec["size"])
times = []
with torch.inference_mode():
    for r in range(-5, spec["rounds"]):
        t = time.perf_counter(); run(x)
        if r >= 0: times.append((time.perf_counter() - t) * 1000)
times.sort()
print(json.dumps({"version": torch.__version__, "ms": times[len(times) // 4]}))
`;

/** The same network in PyTorch fp32; null where it is not installed. */
export async function torchOf(
  graph: Graph,
  { batch, rounds, threads }: { batch: number; rounds: number; threads: number },
): Promise<{ version: string; fp32Ms: number } | null> {
  const [input] = graph.inputs;
  const layers = graph.layers.map((layer) => ({
    kind: layer.kind,
    name: layer.name,
    inputs: layer.inputs,
    ...('activation' in layer && { activation: layer.activation }),
    ...('strides' in layer && { strides: layer.strides }),
    ...(layer.kind === 'dense' && { kernel: layer.kernel.shape }),
    ...(layer.kind === 'conv2d' && { kernel: outputsFirst(layer.kernel.shape) }),
  }));
  const spec = { input: input!.name, size: input!.shape[1], layers, batch, rounds, threads };
  for (const python of PYTHONS) {
    try {
      const { stdout } = await promisify(execFile)(python, ['-c', SCRIPT, JSON.stringify(spec)], { timeout: 120_000 }); // prettier-ignore
      const { version, ms } = JSON.parse(stdout) as { version: string; ms: number };
      return { version, fp32Ms: rounded(ms) };
    } catch {
      continue; // The next Python may have it.
    }
  }
  notice('PyTorch left out: python3-torch is not installed');
  return null;
}

/** [height, width, in, out] → [out, in, height, width] */
const outputsFirst = ([height, width, from, to]: readonly number[]): number[] => [to!, from!, height!, width!]; // prettier-ignore
