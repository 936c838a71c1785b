import { Link, useNavigate } from "@tanstack/react-router";
import { Download, Ellipsis, ScrollText } from "lucide-react";
import { useState } from "react";
import { taskFile } from "@/api/tasks";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Menu, MenuItem, MenuLine } from "@/components/ui/menu";
import { type ActionableTask, actionsOf, PROMINENT, type TaskAction } from "@/features/task-actions/availability";
import { NameDialog } from "@/features/task-actions/name-dialog";
import { type CalledAction, useTaskAction } from "@/features/task-actions/use-task-action";
import { LABELS, questionOf } from "@/features/task-actions/wording";

interface TaskActionsProps {
  task: ActionableTask;
  /** In a line of a table: pictures instead of words, smaller. */
  compact?: boolean;
  /** After the task was deleted or removed, e.g. to leave its page. */
  onGone?: () => void;
}

const NAMED: Partial<Record<TaskAction, { title: string; description: string; confirm: string }>> = {
  duplicate: {
    title: "Duplicate the task",
    description: "A new pending task with the same document. Nothing that was measured is copied.",
    confirm: "Duplicate",
  },
  rename: {
    title: "Rename the task",
    description: "The name is unique among the tasks that are not deleted.",
    confirm: "Rename",
  },
};

/** What can be done with a task now: at most two buttons, and a menu with the rest. */
export function TaskActions({ task, compact = false, onGone }: TaskActionsProps) {
  const [asked, setAsked] = useState<CalledAction | null>(null);
  const act = useTaskAction();
  const navigate = useNavigate();
  const possible = actionsOf(task);
  const buttons = PROMINENT.filter((action) => possible.includes(action)).slice(0, 2);
  const rest = possible.filter((action) => !buttons.includes(action));
  const question = asked && questionOf(asked, task);
  const named = asked && NAMED[asked];

  const close = () => {
    setAsked(null);
    act.reset();
  };
  const carryOut = (action: CalledAction, name?: string) =>
    act.mutate(
      { action, task, ...(name !== undefined && { name }) },
      {
        onSuccess: ({ made }) => {
          setAsked(null);
          if (action === "delete" || action === "purge") onGone?.();
          if (made !== undefined && !compact) void navigate({ to: "/tasks/$taskId", params: { taskId: String(made) } });
        },
        onError: () => {
          if (!NAMED[action]) setAsked(null);
        },
      },
    );
  const choose = (action: TaskAction) => {
    if (action === "edit" || action === "export" || action === "archive") return;
    if (questionOf(action, task) || NAMED[action]) setAsked(action);
    else carryOut(action);
  };

  return (
    <>
      {buttons.map((action, place) => {
        const { label, icon: Icon } = LABELS[action];
        return (
          <Button
            key={action}
            look={
              compact ? "quiet" : place === 0 && action !== "cancel" && action !== "pause" ? "primary" : "secondary"
            }
            size={compact ? "icon" : "normal"}
            busy={act.isPending && act.variables.action === action}
            onClick={() => choose(action)}
            {...(compact && { "aria-label": `${label} ${task.name}`, title: label })}
          >
            <Icon size={16} aria-hidden />
            {!compact && label}
          </Button>
        );
      })}
      <Menu
        trigger={
          <Button
            look={compact ? "quiet" : "secondary"}
            size={compact ? "icon" : "normal"}
            aria-label={compact ? `More actions of ${task.name}` : "More actions"}
          >
            <Ellipsis size={16} aria-hidden />
            {!compact && <span className="max-sm:sr-only">More</span>}
          </Button>
        }
      >
        {compact && <LogItem taskId={task.id} />}
        {rest.map((action) => (
          <ActionItem key={action} action={action} task={task} onChoose={() => choose(action)} />
        ))}
      </Menu>
      {asked && question && (
        <Confirm
          open
          title={question.title}
          verb={question.confirm}
          danger={question.danger}
          busy={act.isPending}
          onConfirm={() => carryOut(asked)}
          onClose={close}
        >
          {question.consequences.map((sentence) => (
            <p key={sentence}>{sentence}</p>
          ))}
        </Confirm>
      )}
      {asked && named && (
        <NameDialog
          {...named}
          name={asked === "duplicate" ? `${task.name}_copy` : task.name}
          busy={act.isPending}
          error={act.error}
          onConfirm={(name) => carryOut(asked, name)}
          onClose={close}
        />
      )}
    </>
  );
}

interface ActionItemProps {
  action: TaskAction;
  task: ActionableTask;
  onChoose: () => void;
}

/** A line of the menu; exports are files that the browser takes. */
function ActionItem({ action, task, onChoose }: ActionItemProps) {
  const { label, icon: Icon } = LABELS[action];
  if (action === "export") {
    return (
      <>
        <FileItem href={taskFile.yaml(task.id)} label="Export as YAML" />
        <FileItem href={taskFile.json(task.id)} label="Export as JSON" />
      </>
    );
  }
  if (action === "edit") {
    return (
      <MenuItem asChild>
        <Link to="/tasks/$taskId/edit" params={{ taskId: task.id }}>
          <Icon size={16} aria-hidden />
          {label}
        </Link>
      </MenuItem>
    );
  }
  if (action === "archive") return <FileItem href={taskFile.archive(task.id)} label={label} />;
  const dangerous = action === "clear" || action === "delete" || action === "purge";
  return (
    <>
      {(action === "restart" || action === "delete") && <MenuLine />}
      <MenuItem danger={dangerous} onSelect={onChoose}>
        <Icon size={16} aria-hidden />
        {label}
      </MenuItem>
    </>
  );
}

/** The way to a task's logs, where its tabs are not in sight. */
function LogItem({ taskId }: { taskId: number }) {
  return (
    <MenuItem asChild>
      <Link to="/tasks/$taskId/log" params={{ taskId: String(taskId) }}>
        <ScrollText size={16} aria-hidden />
        Logs
      </Link>
    </MenuItem>
  );
}

function FileItem({ href, label }: { href: string; label: string }) {
  return (
    <MenuItem asChild>
      <a href={href} download>
        <Download size={16} aria-hidden />
        {label}
      </a>
    </MenuItem>
  );
}
