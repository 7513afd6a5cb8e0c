// What the App lets only JavaScript do in a page that is open: show a new group in the sidebar, and new colors; act on
// the width of the window; close the dialog after a run, and leave that of its progress closed; put the plugin's button
// where a narrow grid still shows it; break a text on the grid into lines; and mark the picture in the grid that the
// review is about, and load the grid anew only where a picture that has changed is in it.
//
// FiftyOne's own operators reload a dataset with the groups that the page has, so a new one would come with the next
// reload of the page, and colors come only with opening the dataset, which closes the user's panels and view.
(() => {
  const { Operator, OperatorConfig, executeOperator, registerOperator } = window.__foo__;
  const { colorScheme, config, ensureColorScheme, sidebarGroupsDefinition, sidebarVisible } = window.__fos__;

  class ArrangeApp extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_arrange_app", label: "Arrange a zero-shot run in the App", unlisted: true });
    }

    // params: groups, the dataset's sidebar groups; colors, its color scheme, null without
    async execute({ state, params }) {
      const defaults = await state.snapshot.getPromise(config);
      state.set(sidebarGroupsDefinition(false), params.groups);
      state.set(colorScheme, ensureColorScheme(params.colors, defaults));
    }
  }

  // Hides the sidebar of a small window, where a panel beside the grid would leave thumbnails too small to judge.
  class MakeRoom extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_make_room", label: "Make room beside the grid", unlisted: true });
    }

    // params: width, the window's in pixels below which it is a small one
    async execute({ state, params }) {
      if (window.innerWidth >= params.width) return;
      await gridIsDrawn(30);
      state.set(sidebarVisible(false), false);
    }
  }

  // A grid that is still being drawn would keep the width that it has beside the sidebar.
  let drawn = false;
  document.addEventListener("grid-mount", () => {
    drawn = true;
  });
  async function gridIsDrawn(tries) {
    for (let n = 0; n < tries && !drawn; n++) await wait(100);
  }

  function wait(milliseconds) {
    return new Promise((done) => setTimeout(done, milliseconds));
  }

  class CloseDialog extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_close_dialog", label: "Close the dialog after a run", unlisted: true });
    }

    async execute({ state }) {
      const dialog = stateOf(state, "operatorIOState");
      if (dialog) state.set(dialog, { visible: false });
      const form = stateOf(state, "promptingOperator"); // which waits for the end of the run, behind the dialog
      if (form) state.set(form, null);
    }
  }

  // Shows the progress of a run in the dialog, unless the user has closed it, or something else is shown there now.
  class ShowProgress extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_show_progress", label: "Show the progress of a run", unlisted: true });
    }

    // params: work, a text that names this call; outputs and results, as show_output has them
    async execute({ state, params }) {
      const { work, outputs, results } = params;
      const node = stateOf(state, "operatorIOState");
      const now = node ? await state.snapshot.getPromise(node) : null;
      if (seen.has(work) && now && !(now.visible && now.data?.work === work)) return;
      seen.add(work);
      await executeOperator("@voxel51/operators/show_output", { outputs, results: { ...results, work } });
    }
  }

  // Marks the picture in the grid that the review is about, and shows the panel from its top.
  class FollowReview extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_follow_review", label: "Follow the review", unlisted: true });
    }

    // params: sample, an id, null to mark none; focus, whether what is typed goes to the panel's list of classes
    async execute({ params }) {
      markTile(params.sample);
      for (const panel of document.querySelectorAll(REVIEW)) {
        for (const one of [panel, ...panel.querySelectorAll("*")]) if (one.scrollTop > 0) one.scrollTop = 0;
      }
      if (params.focus) focusList(20);
    }
  }

  // Loads the grid anew if a picture of the samples is in it, else as soon as one is: for a moment it is empty then.
  class ShowWritten extends Operator {
    get config() {
      return new OperatorConfig({ name: "lgca_show_written", label: "Show what was written", unlisted: true });
    }

    // params: samples, ids, null for any; now, whether to load what was put off, wherever it is
    async execute({ params }) {
      for (const id of params.samples ?? []) written.add(id);
      const due = params.now ? written.size > 0 : [...written].some((id) => tileOf(id));
      if (params.samples === null || due || (written.size > 0 && !followsTiles)) reloadGrid();
    }
  }

  const REVIEW = "[data-cy=panel-content-lgca_review]";
  const MARK = "lgca-reviewed";
  const tiles = new Map(); // sample to its picture in the grid: the App writes no ids on the page
  const written = new Set(); // samples that have changed since the grid was loaded
  let marked = null;

  function tileOf(id) {
    const tile = tiles.get(id)?.deref();
    return tile?.isConnected ? tile : null;
  }

  function markTile(id) {
    marked = id;
    for (const one of document.querySelectorAll(`.${MARK}`)) one.classList.remove(MARK);
    if (id) tileOf(id)?.classList.add(MARK);
  }

  function reloadGrid() {
    written.clear();
    executeOperator("@voxel51/operators/reload_samples", {});
  }

  // The list comes with the layout that was sent before, which the App draws later.
  async function focusList(tries) {
    const list = () => [...document.querySelectorAll(`${REVIEW} input[role=combobox]`)].pop();
    for (let n = 0; n < tries && !list(); n++) await wait(50);
    list()?.focus();
  }

  // Every picture of the grid passes here when it comes into sight.
  const picture = window.__fol__?.AbstractLooker?.prototype;
  const followsTiles = typeof picture?.attach === "function";
  if (followsTiles) {
    const attach = picture.attach;
    picture.attach = function (...place) {
      const done = attach.apply(this, place);
      const { sampleId, thumbnail } = this.state?.config ?? {};
      const tile = this.lookerElement?.element;
      if (thumbnail && sampleId && tile) {
        tiles.set(sampleId, new WeakRef(tile));
        tile.classList.toggle(MARK, sampleId === marked);
        if (written.has(sampleId)) reloadGrid();
      }
      return done;
    };
  }

  // The calls whose progress was shown on this page.
  const seen = new Set();

  // The App exports no name of its dialogs' states, so they are found by key; without one, its dialog can't be closed.
  function stateOf(state, key) {
    for (const node of state.snapshot.getNodes_UNSTABLE()) {
      if (node.key === key) return node;
    }
    return null;
  }

  registerOperator(ArrangeApp, "@lgca/zero-shot");
  registerOperator(MakeRoom, "@lgca/zero-shot");
  registerOperator(CloseDialog, "@lgca/zero-shot");
  registerOperator(ShowProgress, "@lgca/zero-shot");
  registerOperator(FollowReview, "@lgca/zero-shot");
  registerOperator(ShowWritten, "@lgca/zero-shot");

  // The App puts the buttons of plugins last, where a grid beside a panel shows none; it sorts by what the user has
  // dragged to where, by id. Until the user has moved it, the plugin's button is the first after the sidebar's.
  const BUTTON = "@lgca/zero-shot/lgca_menu";
  const ORDER = "grid-actions-row";
  try {
    const order = JSON.parse(localStorage.getItem(ORDER) ?? "{}");
    if (!(BUTTON in order)) localStorage.setItem(ORDER, JSON.stringify({ ...order, [BUTTON]: -1 }));
  } catch (error) {
    console.warn("The order of the buttons above the grid can't be read or written", error);
  }

  // The suggested class is the end of a suspect's text, which the App would cut off on a small picture.
  const style = document.createElement("style");
  style.textContent =
    "[data-cy^=tag-][data-cy$=_suspect] { white-space: normal !important; height: auto !important; text-align: left; }" +
    `body:has(${REVIEW}) .${MARK}::after { content: ""; position: absolute; inset: 0; z-index: 20; pointer-events: none; ` +
    "border: 4px solid var(--fo-palette-primary-main); }";
  document.head.append(style);
})();
