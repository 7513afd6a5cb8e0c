// What the App lets only JavaScript do in a page that is open: show a new group in the sidebar, and new colors; act on
// the width of the window; close the dialog after a run, and leave that of its progress closed; put the plugin's button
// where a narrow grid still shows it; and break a text on the grid into lines.
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
      if (window.innerWidth < params.width) state.set(sidebarVisible(false), false);
    }
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
    "[data-cy^=tag-][data-cy$=_suspect] { white-space: normal !important; height: auto !important; text-align: left; }";
  document.head.append(style);
})();
