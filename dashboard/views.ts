import type { CameraStatus, Preview, PreviewFace } from '../core/protocol.js';
import type { Client } from '../sdk/index.js';
import { fitCanvas, html, setText } from './dom.js';
import { personColour } from './palette.js';

/** The cameras' live pictures with faces, where the runtime sends them; their names otherwise. */
export class Views {
  readonly #place: HTMLElement;
  #tiles = new Map<string, ViewTile>();

  constructor(place: HTMLElement) {
    this.#place = place;
  }

  follow(client: Client): void {
    const note = client.previews
      ? 'waiting for a picture'
      : client.role === 'operator'
        ? 'pictures stay on the device'
        : 'this token sees no pictures';
    this.#tiles = new Map(client.cameraIds.map((id) => [id, new ViewTile(id, note)]));
    this.#place.replaceChildren(...[...this.#tiles.values()].map(({ element }) => element));
    this.#place.dataset['count'] = String(this.#tiles.size);
    client.on(
      'preview',
      (preview) => void this.#tiles.get(preview.cameraId)?.show(preview, client),
    );
    client.on('status', ({ cameras }) => {
      for (const camera of cameras) this.#tiles.get(camera.cameraId)?.tell(camera);
    });
  }
}

class ViewTile {
  readonly element: HTMLElement;
  readonly #canvas = html('canvas');
  readonly #note: HTMLElement;
  readonly #noteLive: string;
  readonly #state = html('span', { class: 'state', attributes: { 'data-state': 'starting' } });
  readonly #figures = html('span', { class: 'figures' });
  #isDrawing = false;

  constructor(cameraId: string, note: string) {
    this.#noteLive = note;
    this.#note = html('div', { class: 'note', text: note });
    this.element = html(
      'figure',
      { class: 'view', attributes: { 'data-camera': cameraId } },
      this.#canvas,
      this.#note,
      html('figcaption', {}, this.#state, html('b', { text: cameraId }), this.#figures),
    );
  }

  tell({ state, detail, fps, width, height }: CameraStatus): void {
    setText(this.#note, width > 0 ? this.#noteLive : (detail ?? 'no picture yet'));
    this.#state.dataset['state'] = state;
    this.#state.title = state;
    this.element.classList.toggle('lost', state !== 'live');
    if (width > 0) this.element.style.setProperty('--shape', `${width} / ${height}`);
    setText(this.#figures, state === 'live' ? `${width}×${height} · ${fps.toFixed(1)} fps` : state);
  }

  /** A picture that comes while the one before is still being decoded is not shown. */
  async show(preview: Preview, client: Client): Promise<void> {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    try {
      const blob = new Blob([preview.jpeg as Uint8Array<ArrayBuffer>], { type: 'image/jpeg' });
      const picture = await createImageBitmap(blob);
      this.#note.hidden = true;
      this.#draw(picture, preview, client);
      picture.close();
    } catch {
      this.#note.hidden = false;
      setText(this.#note, 'unreadable picture');
    } finally {
      this.#isDrawing = false;
    }
  }

  #draw(picture: ImageBitmap, preview: Preview, client: Client): void {
    const context = this.#canvas.getContext('2d');
    if (context === null) return;
    const { width, height } = fitCanvas(this.#canvas);
    const scale = Math.min(width / preview.width, height / preview.height);
    const left = (width - preview.width * scale) / 2;
    const top = (height - preview.height * scale) / 2;
    context.clearRect(0, 0, width, height);
    context.drawImage(picture, left, top, preview.width * scale, preview.height * scale);
    context.save();
    context.translate(left, top);
    for (const face of preview.faces) {
      const shown = face.subjectId === undefined ? undefined : client.latest.get(face.subjectId);
      drawFace(context, face, scale, shown?.top);
    }
    context.restore();
  }
}

function drawFace(
  context: CanvasRenderingContext2D,
  { box, points, subjectId, quality }: PreviewFace,
  scale: number,
  expression: string | undefined,
): void {
  const colour = subjectId === undefined ? '#cbd5e1' : personColour(subjectId);
  context.fillStyle = colour;
  context.globalAlpha = 0.35 + 0.4 * quality;
  for (let i = 0; i + 1 < points.length; i += 2) {
    context.fillRect(points[i]! * scale - 0.5, points[i + 1]! * scale - 0.5, 1.1, 1.1);
  }
  context.globalAlpha = 1;
  const [x, y, w, h] = [box.x, box.y, box.width, box.height].map((v) => v * scale) as Rectangle;
  drawCorners(context, [x, y, w, h], colour);
  drawTag(context, expression ?? subjectId ?? 'unplaced', x, Math.max(17, y - 5), colour);
}

type Rectangle = [x: number, y: number, width: number, height: number];

function drawCorners(context: CanvasRenderingContext2D, box: Rectangle, colour: string): void {
  const [x, y, w, h] = box;
  const arm = Math.min(w, h) / 4;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  context.beginPath();
  for (const [cx, cy, dx, dy] of [
    [x, y, 1, 1],
    [x + w, y, -1, 1],
    [x, y + h, 1, -1],
    [x + w, y + h, -1, -1],
  ] as const) {
    // prettier-ignore
    context.moveTo(cx + dx * arm, cy);
    context.lineTo(cx, cy);
    context.lineTo(cx, cy + dy * arm);
  }
  context.stroke();
}

function drawTag(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  bottom: number,
  colour: string,
): void {
  context.font = '600 11px system-ui, sans-serif';
  const width = context.measureText(text).width + 12;
  context.fillStyle = 'rgba(8, 12, 20, 0.78)';
  context.beginPath();
  context.roundRect(x - 1, bottom - 16, width, 17, 5);
  context.fill();
  context.fillStyle = colour;
  context.fillText(text, x + 5, bottom - 4);
}
