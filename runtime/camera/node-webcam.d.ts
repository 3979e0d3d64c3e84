/** The part of node-webcam that is used; the package brings no types. */
declare module 'node-webcam' {
  interface Options {
    width?: number;
    height?: number;
    quality?: number;
    output?: 'jpeg' | 'png' | 'bmp';
    device?: string | false;
    verbose?: boolean;
  }
  interface Webcam {
    /** The command line that takes one picture, for the platform's own tool. */
    generateSh(location: string): string;
  }
  const NodeWebcam: { create(options: Options): Webcam };
  export default NodeWebcam;
}
