/** What is global in ComfyUI's page. */
declare const app: any;
