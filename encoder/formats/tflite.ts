import { ClmexError } from '../../core/errors.js';
import type { Graph, Layer, TensorSpec, Weights } from '../graph.js';
import { inferShapes } from './shapes.js';
import { layersOf, type Operator } from './tflite-layers.js';
import { readTfliteFile, type TfliteFile, type TfliteOperator } from './tflite-file.js';
import { readWeights } from './tflite-weights.js';

/**
 * Reads a TensorFlow Lite model of one graph as a float graph: weights in half precision, sparse or
 * quantised are widened, steps between floats and bytes left out.
 * @param name Name of the graph and of the model in errors.
 * @throws ClmexError `model-invalid` for a corrupt file, `unsupported` for an operator, a constant
 *   or an option that is not known, naming the operator and its place.
 */
export function readTflite(bytes: Uint8Array, name: string): Graph {
  try {
    const graph = new GraphReader(readTfliteFile(bytes), name).read();
    inferShapes(graph);
    return graph;
  } catch (error) {
    if (!(error instanceof ClmexError)) throw error;
    throw new ClmexError(error.code, `model '${name}': ${error.message}`, { cause: error });
  }
}

class GraphReader {
  readonly #file: TfliteFile;
  readonly #name: string;
  readonly #names: string[];
  readonly #constants = new Map<number, Weights>();
  readonly #made = new Set<number>();
  readonly #layers: Layer[] = [];

  constructor(file: TfliteFile, name: string) {
    this.#file = file;
    this.#name = name;
    const taken = new Set<string>();
    this.#names = file.tensors.map(({ name: given }, index) => {
      const unique = given === '' || taken.has(given) ? `${given}#${index}` : given;
      taken.add(unique);
      return unique;
    });
  }

  read(): Graph {
    const inputs = this.#file.inputs.map((index) => this.#spec(index));
    for (const index of this.#file.inputs) this.#made.add(index);
    this.#file.operators.forEach((operator, position) => this.#take(operator, position));
    const outputs = this.#file.outputs.map((index) => this.#spec(index));
    return { name: this.#name, inputs, outputs, layers: this.#layers };
  }

  #spec(index: number): TensorSpec {
    const tensor = this.#file.tensors[index];
    if (tensor === undefined) throw noTensor(index, this.#name);
    return { name: this.#names[index]!, shape: tensor.shape };
  }

  #take(operator: TfliteOperator, position: number): void {
    const [output] = operator.outputs;
    const made = output === undefined ? undefined : this.#file.tensors[output];
    const place = `operator ${position} ${operator.name} (makes '${made?.name ?? '?'}')`;
    if (output === undefined || made === undefined || operator.outputs.length !== 1)
      throw new ClmexError('unsupported', 'an operator must make one tensor', { field: place });
    if (operator.name === 'QUANTIZE' || operator.name === 'DEQUANTIZE') {
      const source = operator.inputs[0] ?? -1;
      if (this.#made.has(source)) {
        this.#names[output] = this.#names[source]!;
        this.#made.add(output);
        return;
      }
    }
    if (operator.name === 'DEQUANTIZE' || operator.name === 'DENSIFY') {
      this.#constants.set(output, this.#needConstant(operator.inputs[0], place));
      return;
    }
    const view: Operator = {
      name: operator.name,
      place,
      options: operator.options,
      output: this.#names[output]!,
      outputShape: made.shape,
      inputCount: operator.inputs.length,
      tensor: (i) => this.#tensor(operator.inputs[i], place),
      constant: (i) => this.#constant(operator.inputs[i]),
    };
    this.#layers.push(...layersOf(view));
    this.#made.add(output);
  }

  #tensor(index: number | undefined, place: string): TensorSpec {
    const tensor = index === undefined ? undefined : this.#file.tensors[index];
    if (index === undefined || tensor === undefined) throw noTensor(index, place);
    if (!this.#made.has(index)) {
      // A constant among the operands becomes a layer of its own.
      const value = this.#needConstant(index, place);
      this.#layers.push({ kind: 'constant', name: this.#names[index]!, inputs: [], value });
      this.#made.add(index);
    }
    return { name: this.#names[index]!, shape: tensor.shape };
  }

  #needConstant(index: number | undefined, place: string): Weights {
    const constant = this.#constant(index);
    if (constant === undefined)
      throw new ClmexError('model-invalid', 'reads a tensor nobody made before', {
        field: place,
        value: index,
      });
    return constant;
  }

  #constant(index: number | undefined): Weights | undefined {
    if (index === undefined || index === -1) return undefined;
    const known = this.#constants.get(index);
    if (known !== undefined) return known;
    const tensor = this.#file.tensors[index];
    if (tensor === undefined) throw noTensor(index, this.#name);
    if (tensor.data.length === 0 || this.#made.has(index)) return undefined;
    const weights = readWeights(tensor);
    this.#constants.set(index, weights);
    return weights;
  }
}

function noTensor(index: number | undefined, place: string): ClmexError {
  return new ClmexError('model-invalid', 'no tensor of this number', {
    field: place,
    value: index,
  });
}
